;; Speaks a contract of a version that does not exist.
(component
  (instance $contract)
  (export "consort:agent-adapter/adapter@9.0.0" (instance $contract))
)
