;; A table that starts with ten million elements.
(module
  (memory (export "memory") 1)
  (table 10000000 funcref)
  (;realloc;) (;start;) (;resume;) (;cancel;)
)
