;; Has functions of the contract's names that are not its functions.
(component
  (core module $m (func (export "f") (result i32) i32.const 1))
  (core instance $i (instantiate $m))
  (func $f (result u32) (canon lift (core func $i "f")))
  (instance $contract (export "start" (func $f)) (export "resume" (func $f)) (export "cancel" (func $f)))
  (export "consort:agent-adapter/adapter@0.1.0" (instance $contract))
)
