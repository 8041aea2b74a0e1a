// The smallest useful transformer in JavaScript: it turns text round.

export const transformer = {
  transform(value) {
    if (value.tag !== "text") {
      throw { tag: "invalid-input", val: { message: "not text" } };
    }
    return { tag: "text", val: [...value.val].reverse().join("") };
  },
};
