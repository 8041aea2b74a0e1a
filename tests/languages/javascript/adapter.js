// The smallest useful adapter in JavaScript: it answers with its description, in
// capitals, and what it was given.

import { log } from "consort:host/logging@0.1.0";

export const adapter = {
  start(call) {
    if (call.description === "") {
      throw { tag: "invalid-input", val: { message: "say something", code: "empty" } };
    }
    log("info", `attempt ${call.attempt} of ${call.taskId}`);
    const given = call.dependencies.map(({ name, value }) => ` ${name}=${value.val}`);
    const answer = call.description.toUpperCase() + given.join("");
    return { tag: "done", val: { output: { tag: "text", val: answer }, spawn: [] } };
  },
  resume() {
    throw { tag: "permanent", val: { message: "nothing to resume" } };
  },
  cancel() {},
};
