;; Has the contract's name and none of its functions.
(component
  (instance $contract)
  (export "consort:agent-adapter/adapter@0.1.0" (instance $contract))
)
