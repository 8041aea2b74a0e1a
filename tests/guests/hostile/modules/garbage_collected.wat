;; Allocates where only a garbage collector would look.
(module
  (memory (export "memory") 1)
  (;realloc;) (;resume;) (;cancel;)
  (type $cell (struct (field (mut (ref null $cell)))))
  (global $head (mut (ref null $cell)) (ref.null $cell))
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (loop $again
      (global.set $head (struct.new $cell (global.get $head)))
      (br $again))
    unreachable)
)
