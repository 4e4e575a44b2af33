from ..repository import Repository

repository = Repository()


async def basket_of(customer):
    repository.only(customer=customer)
    return {"lines": await repository.fetch_all()}
