# locate: write=package_shop/repository.py:9 read=package_shop/repository.py:13 object=package_shop.services.orders.repository.filters
# run: ["{bin}/uvicorn", "--port", "{port}", "package_shop.main:app"]
# show: {"how": "overlap", "path": "/basket", "json": {"customer": "{canary}"}}
"""A package with relative imports: the view, a service and a repository with filters that stay."""
