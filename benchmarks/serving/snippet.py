"""FastAPI around a pipeline of transformers, as tutorials have it: `python snippet.py MODEL PORT`."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

classify = pipeline("text-classification", model=sys.argv[1])
app = FastAPI()


class Asked(BaseModel):
    text: str


@app.post("/predict")
def predict(asked: Asked):
    return classify(asked.text, truncation=True)[0]


@app.get("/health/ready")
def ready():
    return {"status": "ready"}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
