from fastapi import FastAPI
from pydantic import BaseModel

from .services import orders

app = FastAPI()


class Wish(BaseModel):
    customer: str


@app.post("/basket")
async def basket(wish: Wish):
    return await orders.basket_of(wish.customer)
