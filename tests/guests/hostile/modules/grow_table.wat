;; A table that grows.
(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (loop $again
      (drop (table.grow $t (ref.null func) (i32.const 1024)))
      (br $again))
    unreachable)
)
