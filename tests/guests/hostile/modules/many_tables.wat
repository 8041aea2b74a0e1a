;; Four tables that grow in turn.
(module
  (memory (export "memory") 1)
  (table $t0 1 funcref)
  (table $t1 1 funcref)
  (table $t2 1 funcref)
  (table $t3 1 funcref)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (loop $again
      (drop (table.grow $t0 (ref.null func) (i32.const 1024)))
      (drop (table.grow $t1 (ref.null func) (i32.const 1024)))
      (drop (table.grow $t2 (ref.null func) (i32.const 1024)))
      (drop (table.grow $t3 (ref.null func) (i32.const 1024)))
      (br $again))
    unreachable)
)
