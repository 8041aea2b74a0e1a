"""The smallest useful adapter in Python: it answers with its description, in
capitals, and what it was given."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.adapter import Invocation, Outcome, Step, Step_Done
from wit_world.imports import logging, values


def text(value: values.Payload) -> str:
    return value.value if isinstance(value, values.Payload_Text) else str(value.value)


class Adapter(exports.Adapter):
    def start(self, call: Invocation) -> Step:
        if not call.description:
            raise Err(values.Failure_InvalidInput(values.Problem("say something", "empty", None)))
        logging.log(logging.Level.INFO, f"attempt {call.attempt} of {call.task_id}")
        given = [f" {d.name}={text(d.value)}" for d in call.dependencies]
        answer = call.description.upper() + "".join(given)
        return Step_Done(Outcome(values.Payload_Text(answer), None, []))

    def resume(self, call: Invocation, checkpoint: bytes, answer) -> Step:
        raise Err(values.Failure_Permanent(values.Problem("nothing to resume", None, None)))

    def cancel(self, call: Invocation, checkpoint: bytes) -> None:
        pass
