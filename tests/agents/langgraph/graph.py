"""A graph that does what the first word of the last message says, without a model.

    slow N     answers after N seconds
    ask        interrupts with a question and answers with what it is told
    fail X     a node raises
    other      answers with the text itself

`data` is a graph whose state is not a chat.
"""

import asyncio
from typing import Annotated, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


async def reply(state: Chat) -> Chat:
    text = str(state["messages"][-1].content)
    command, _, rest = text.partition(" ")
    if command == "fail":
        raise ValueError(f"node failed: {rest}")
    if command == "slow":
        await asyncio.sleep(float(rest))
    if command == "ask":
        rest = interrupt({"question": "which city?"})
    message = AIMessage(
        f"echo: {rest or text}",
        usage_metadata={"input_tokens": 3, "output_tokens": 5, "total_tokens": 8},
        response_metadata={"model_name": "echo-1"},
    )
    return {"messages": [message]}


class Numbers(TypedDict):
    numbers: list[int]
    sum: int


def add(state: Numbers) -> Numbers:
    return {"sum": sum(state["numbers"])}


agent = (
    StateGraph(Chat)
    .add_node("reply", reply)
    .add_edge(START, "reply")
    .add_edge("reply", END)
    .compile()
)

data = (
    StateGraph(Numbers)
    .add_node("add", add)
    .add_edge(START, "add")
    .add_edge("add", END)
    .compile()
)
