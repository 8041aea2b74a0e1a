//! The contracts from other languages: from the one folder `wit/`, the smallest
//! plugins in Python and JavaScript are built with their own tools, loaded, and
//! called like any other.
//!
//! Ignored unless asked for, because the tools are installed from PyPI and npm
//! first: `cargo xtask agents`, which also runs the tests in `agents.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use consort_plugin_host::{
    CallContext, CallError, Candidate, Dependency, Failure, HostOptions, Invocation, Kind, Level,
    LimitSpec, Limits, Outcome, Payload, PluginHost, Snapshot, Source, Step, TransformContext,
};
use consort_tests::agents::{node, python};
use consort_tests::command::target_dir;
use consort_tests::lab::Heard;

const KINDS: [(Kind, &str); 3] = [
    (Kind::Adapter, "adapter"),
    (Kind::Prioritizer, "prioritizer"),
    (Kind::Transformer, "transformer"),
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Builds the three plugins of a language, each by a command.
fn build(language: &str, command: impl Fn(&str, &Path) -> Command) -> Vec<PathBuf> {
    let folder = target_dir().join("agents").join(format!("{language}-plugins"));
    fs::create_dir_all(&folder).expect("the target directory can be written to");
    KINDS
        .iter()
        .map(|(_, world)| {
            let component = folder.join(format!("{world}.wasm"));
            let output = command(world, &component).output().expect("it was just installed");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "the {language} {world} does not build: {said}");
            component
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs componentize-py from PyPI: run 'cargo xtask agents'"]
async fn plugins_in_python_build_load_and_run() {
    let source = here("languages/python");
    let python = python("python-tools", &source.join("requirements.txt"), &[]);
    let componentize = python.with_file_name("componentize-py");
    let components = build("python", |world, output| {
        let mut command = Command::new(&componentize);
        command.arg("--wit-path").arg(here("../wit")).args(["--world", world, "componentize"]);
        command.arg("--python-path").arg(&source).arg(world).arg("--output").arg(output);
        command
    });
    check(&components).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs componentize-js from npm: run 'cargo xtask agents'"]
async fn plugins_in_javascript_build_load_and_run() {
    let source = here("languages/javascript");
    let modules = node("javascript-tools", &source.join("package.json"));
    // A module finds packages beside itself.
    let build_script = modules.with_file_name("build.mjs");
    fs::copy(source.join("build.mjs"), &build_script).expect("it can be copied");
    let components = build("javascript", |world, output| {
        let mut command = Command::new("node");
        command.arg(&build_script).arg(here("../wit")).arg(world);
        command.arg(source.join(format!("{world}.js"))).arg(output);
        command
    });
    check(&components).await;
}

/// Loads the three components and calls each.
async fn check(components: &[PathBuf]) {
    let cache_dir = Some(target_dir().join("agents/code"));
    let host = PluginHost::new(HostOptions { cache_dir, ..HostOptions::default() })
        .expect("this machine runs plugins");
    let mut plugins = Vec::new();
    for ((kind, world), file) in KINDS.iter().zip(components) {
        let plugin = host.load(&Source::File(file.clone())).await.expect("it loads");
        assert_eq!(plugin.kind(), *kind);
        assert_eq!(&**plugin.name(), *world, "without a manifest the file's name");
        plugins.push(plugin);
    }
    let heard = Arc::new(Heard::default());
    // An interpreter starts with more than a compiled plugin needs in all.
    let own = LimitSpec { memory: Some(256 << 20), ..LimitSpec::default() };
    let limits = Limits::settle(&[&own], &Limits::DEFAULT, &Limits::CEILING);
    let mut context = CallContext::new(limits);
    context.observer = Some(heard.clone());

    let adapter = plugins[0].adapter().expect("an adapter");
    let step = adapter.start(&invocation("hello"), &context).await.expect("an answer");
    let output = Payload::Text("HELLO before=earlier".into());
    assert_eq!(step, Step::Done(Outcome { output, usage: None, spawn: Vec::new() }));
    assert_eq!(heard.logs(), [(Level::Info, "attempt 1 of task".to_owned())]);
    match adapter.start(&invocation(""), &context).await {
        Err(CallError::Failed(Failure::InvalidInput(problem))) => {
            assert_eq!(problem.message, "say something");
            assert_eq!(problem.code.as_deref(), Some("empty"));
        }
        other => panic!("{other:?}"),
    }

    let mut policy = plugins[1].prioritizer().expect("a prioritizer");
    let names: Arc<[Arc<str>]> = ["task".into(), "agent".into()].into();
    let now = Snapshot { now: 0, names, ready: 2, running: 0, slots: 1 };
    let scores = policy.score(&[candidate(0, 3), candidate(1, 7)], &now, &context).await;
    assert_eq!(scores.expect("scores"), [3.0, 7.0]);

    let transformer = plugins[2].transformer().expect("a transformer");
    let value = Payload::Text("drawer".into());
    let turned = transformer.transform(value, &transform_context(), &context).await;
    assert_eq!(turned.expect("a value"), Payload::Text("reward".into()));
}

fn invocation(description: &str) -> Invocation {
    let before = Dependency {
        name: "before".into(),
        task: "first".into(),
        value: Payload::Text("earlier".into()),
    };
    Invocation {
        run_id: "run".into(),
        task_id: "task".into(),
        task_type: "task".into(),
        attempt: 1,
        idempotency_key: "key".into(),
        description: description.into(),
        input: None,
        dependencies: vec![before],
        metadata: "{}".into(),
        agent: "agent".into(),
        endpoint: None,
        config: "{}".into(),
        remaining: std::time::Duration::from_secs(60),
    }
}

fn candidate(id: u32, dependents: u32) -> Candidate {
    Candidate {
        id,
        kind: 0,
        agent: 1,
        priority: 5,
        attempt: 1,
        ready_at: 0,
        deadline: None,
        expected: 1000,
        remaining_path: 1000,
        dependents,
        depth: 0,
    }
}

fn transform_context() -> TransformContext {
    TransformContext {
        run_id: "run".into(),
        task_id: "task".into(),
        for_task: None,
        metadata: "{}".into(),
        config: "{}".into(),
    }
}
