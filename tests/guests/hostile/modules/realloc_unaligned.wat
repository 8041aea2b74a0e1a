;; Wants its arguments at an odd address.
(module
  (memory (export "memory") 1)
  (;start;) (;resume;) (;cancel;)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (i32.const 4097))
)
