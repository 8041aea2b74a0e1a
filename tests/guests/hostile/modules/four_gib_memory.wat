;; Asks for all the memory there can be, and starts with it.
(module
  (memory (export "memory") 65536)
  (;realloc;) (;start;) (;resume;) (;cancel;)
)
