;; Does not end while its arguments are handed over.
(module
  (memory (export "memory") 1)
  (;start;) (;resume;) (;cancel;)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (loop $again (br $again))
    unreachable)
)
