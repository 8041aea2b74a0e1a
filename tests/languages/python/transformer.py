"""The smallest useful transformer in Python: it turns text round."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.transformer import TransformContext
from wit_world.imports import values


class Transformer(exports.Transformer):
    def transform(self, value: values.Payload, context: TransformContext) -> values.Payload:
        if not isinstance(value, values.Payload_Text):
            raise Err(values.Failure_InvalidInput(values.Problem("not text", None, None)))
        return values.Payload_Text(value.value[::-1])
