//! Hostile modules: what no compiler would write.

use consort_plugin_host::{
    CallContext, CallError, Fault, FaultKind, LimitKind, LoadError, Source, Step,
};
use consort_tests::lab::{LIMITS, Lab, broken_limit, fault, short};
use consort_tests::modules;

consort_tests::hostile_modules!(assert_tests_exist);

fn source(name: &str) -> Source {
    Source::Bytes { name: name.to_owned(), bytes: modules::component(name) }
}

async fn start(lab: &Lab, name: &str) -> Result<Step, CallError> {
    let plugin = lab.load(&source(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let context: CallContext = lab.context();
    plugin.adapter().expect("an adapter").start(&lab.invocation(""), &context).await
}

async fn start_fault(name: &str) -> Fault {
    let lab = Lab::new().await;
    let fault = fault(start(&lab, name).await);
    assert_eq!(&*fault.plugin, name, "without a manifest the file's name");
    assert!(fault.digest.starts_with("sha256:"));
    assert_eq!(fault.function, "start");
    fault
}

async fn breaks(name: &str, limit: LimitKind) -> (u64, u64) {
    broken_limit(&start_fault(name).await, limit)
}

async fn traps(name: &str) -> String {
    let fault = start_fault(name).await;
    match fault.kind {
        FaultKind::Trap { reason, .. } => reason,
        other => panic!("{name}: not a trap: {}", short(&other)),
    }
}

/// What the guest gave the host cannot be what the contract says.
async fn breaks_contract(name: &str) {
    let kind = start_fault(name).await.kind;
    assert!(matches!(kind, FaultKind::Contract(_)), "{name}: {}", short(&kind));
}

async fn refused(name: &str) -> LoadError {
    match Lab::new().await.load(&source(name)).await {
        Err(error) => {
            assert!(error.to_string().contains(name), "{error}");
            error
        }
        Ok(plugin) => panic!("{name} was loaded: {plugin:?}"),
    }
}

#[tokio::test]
async fn spin_in_start_function() {
    assert_eq!(breaks("spin_in_start_function", LimitKind::Fuel).await.0, LIMITS.fuel);
}

#[tokio::test]
async fn trap_in_start_function() {
    let fault = start_fault("trap_in_start_function").await;
    assert!(matches!(fault.kind, FaultKind::Trap { .. }), "{fault}");
    assert!(fault.backtrace.contains("trap"), "{}", fault.backtrace);
}

#[tokio::test]
async fn grow_in_start_function() {
    assert_eq!(breaks("grow_in_start_function", LimitKind::Memory).await.0, LIMITS.memory);
}

#[tokio::test]
async fn four_gib_memory() {
    let (allowed, used) = breaks("four_gib_memory", LimitKind::Memory).await;
    assert_eq!((allowed, used), (LIMITS.memory, 4 << 30));
}

/// The limit bounds the sum, also for what fits no pool.
#[tokio::test]
async fn many_memories() {
    let (allowed, used) = breaks("many_memories", LimitKind::Memory).await;
    assert!(used <= allowed + (1 << 20), "{used}");
}

#[tokio::test]
async fn too_many_memories() {
    assert!(matches!(refused("too_many_memories").await, LoadError::Compile { .. }));
}

#[tokio::test]
async fn wide_memory() {
    let (_, used) = breaks("wide_memory", LimitKind::Memory).await;
    assert!(used >= 1 << 47, "{used}");
}

#[tokio::test]
async fn grow_table() {
    assert_eq!(breaks("grow_table", LimitKind::Memory).await.0, LIMITS.memory);
}

#[tokio::test]
async fn huge_table() {
    assert!(breaks("huge_table", LimitKind::Memory).await.1 >= 160_000_000);
}

#[tokio::test]
async fn many_tables() {
    let (allowed, used) = breaks("many_tables", LimitKind::Memory).await;
    assert!(used <= allowed + (1 << 20), "{used}");
}

/// Fuel hardly counts it, so time has to.
#[tokio::test]
async fn fill_endlessly() {
    let mut lab = Lab::new().await;
    lab.limits.fuel = u64::MAX;
    lab.limits.cpu_time = 200;
    broken_limit(&fault(start(&lab, "fill_endlessly").await), LimitKind::CpuTime);
}

#[tokio::test]
async fn deep_frames() {
    assert_eq!(traps("deep_frames").await, "call stack exhausted");
}

#[tokio::test]
async fn spin_in_realloc() {
    breaks("spin_in_realloc", LimitKind::Fuel).await;
}

#[tokio::test]
async fn realloc_out_of_bounds() {
    breaks_contract("realloc_out_of_bounds").await;
}

#[tokio::test]
async fn realloc_unaligned() {
    breaks_contract("realloc_unaligned").await;
}

#[tokio::test]
async fn result_out_of_bounds() {
    breaks_contract("result_out_of_bounds").await;
}

#[tokio::test]
async fn result_unaligned() {
    breaks_contract("result_unaligned").await;
}

#[tokio::test]
async fn invalid_case() {
    breaks_contract("invalid_case").await;
}

#[tokio::test]
async fn string_out_of_bounds() {
    breaks_contract("string_out_of_bounds").await;
}

/// 4 GiB of answer from 2 MiB of memory.
#[tokio::test]
async fn result_bomb() {
    assert_eq!(breaks("result_bomb", LimitKind::Output).await.0, LIMITS.output);
}

#[tokio::test]
async fn spin_in_post_return() {
    breaks("spin_in_post_return", LimitKind::Fuel).await;
}

#[tokio::test]
async fn trap_in_post_return() {
    traps("trap_in_post_return").await;
}

#[tokio::test]
async fn log_out_of_bounds() {
    traps("log_out_of_bounds").await;
}

#[tokio::test]
async fn log_invalid_level() {
    traps("log_invalid_level").await;
}

#[tokio::test]
async fn log_bomb() {
    assert_eq!(breaks("log_bomb", LimitKind::Log).await.0, LIMITS.log);
}

#[tokio::test]
async fn forged_handles() {
    traps("forged_handles").await;
}

#[tokio::test]
async fn forged_drop() {
    traps("forged_drop").await;
}

#[tokio::test]
async fn shared_memory() {
    assert!(matches!(refused("shared_memory").await, LoadError::Compile { .. }));
}

#[tokio::test]
async fn garbage_collected() {
    assert!(matches!(refused("garbage_collected").await, LoadError::Compile { .. }));
}

#[tokio::test]
async fn nothing() {
    assert_wrong_world(&refused("nothing").await, "it exports nothing");
}

#[tokio::test]
async fn other_world() {
    assert_wrong_world(&refused("other_world").await, "'run'");
}

#[tokio::test]
async fn other_version() {
    assert_wrong_world(&refused("other_version").await, "adapter@9.0.0");
}

#[tokio::test]
async fn missing_function() {
    assert_wrong_world(&refused("missing_function").await, "no function 'start'");
}

#[tokio::test]
async fn other_types() {
    assert_wrong_world(&refused("other_types").await, "'start'");
}

#[tokio::test]
async fn two_contracts() {
    let error = refused("two_contracts").await;
    assert_wrong_world(&error, "consort:result-transformer/transformer@0.1.0");
    assert!(error.to_string().contains("manifest"), "it says what to do: {error}");
}

#[tokio::test]
async fn missing_import() {
    assert_missing_import(&refused("missing_import").await, "evil:host/backdoor@1.0.0");
}

#[tokio::test]
async fn other_import() {
    assert_missing_import(&refused("other_import").await, "consort:host/config@0.1.0");
}

fn assert_wrong_world(error: &LoadError, expected: &str) {
    let LoadError::WrongWorld { found, .. } = error else { panic!("{error}") };
    assert!(found.contains(expected), "{error}");
}

fn assert_missing_import(error: &LoadError, expected: &str) {
    let LoadError::MissingImport { import, hint, .. } = error else { panic!("{error}") };
    assert_eq!(import, expected);
    assert!(hint.contains("consort:host"), "{hint}");
}
