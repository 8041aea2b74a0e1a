//! A part of a run that is done again.

use consort_engine::coordinator::Opening;
use consort_engine::retry::{Again, Becomes, RetryError};
use consort_engine::{Coordinator, Retry};

use super::*;

impl Lab {
    /// A run of a workflow whose only approval, if it has one, is refused.
    async fn run(&self, text: &str) -> Report {
        let mut run = prepared(text).await;
        run.answer("review", json!(false));
        self.record(&mut run, text);
        ended(run).await
    }

    fn plan(&self, run: &Report, what: &Again) -> Result<Retry, RetryError> {
        Retry::plan(&self.store.reader().expect("a reader"), &run.run_id, what)
    }

    /// Does it again; the approval is accepted.
    async fn again(&self, run: &Report, what: &Again) -> Report {
        let retry = self.plan(run, what).expect("something to do");
        let mut run = ENGINE.retry(&self.store, retry).await.expect("plugins");
        run.answer("review", json!(true));
        ended(run).await
    }

    /// What the journal says must be what the report said.
    fn check_past(&self, report: &Report) {
        let past =
            PastRun::read(&self.store.reader().expect("a reader"), &report.run_id).expect("a run");
        let entries = past.row().entries;
        let kept = past.into_report().expect("it is over");
        assert_eq!(summary(&kept), summary(report));
        if entries > 10 {
            check_saved(&self.store, &report.run_id);
        }
        assert_eq!((kept.metrics.reused, kept.status), (report.metrics.reused, report.status));
    }
}

async fn ended(run: Run) -> Report {
    let stop = CancellationToken::new();
    run.execute(Map::new(), Arc::new(Nobody), stop).await.expect("the store works")
}

fn from(tasks: &[&str]) -> Again {
    Again::From(tasks.iter().map(ToString::to_string).collect())
}

/// The ids of the tasks that become this.
fn becomes(retry: &Retry, what: Becomes) -> Vec<&str> {
    let tasks = retry.tasks().iter().filter(|task| task.becomes == what);
    tasks.map(|task| &*task.task_id).collect()
}

fn reused(report: &Report) -> Vec<&str> {
    report.tasks.iter().filter(|task| task.reused).map(|task| &*task.id).collect()
}

/// A task's result as JSON.
fn output(report: &Report, task: &str) -> Value {
    serde_json::to_value(&report.task(task).expect("a task").output).expect("a result")
}

const FLOW: &str = "
tasks:
  - {task_id: list, description: count, input: list}
  - {task_id: each, description: 'say {{ item }}', for_each: [x, y], depends_on: [list], max_parallel: 1}
  - {task_id: both, type: collaborative_task, depends_on: [list], steps: [{task_id: one, description: one}, {task_id: two, description: two}]}
  - {task_id: never, description: never, when: 'false', depends_on: [list]}
  - {task_id: review, type: approval, description: 'good?', depends_on: [each, both]}
  - {task_id: after, description: 'say {{ results.each[1] }} {{ results.both.two }}', depends_on: [review, each, both]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_done_again_and_nothing_else() {
    let lab = Lab::new();
    let first = lab.run(FLOW).await;
    assert_eq!(first.status, Status::Failed);
    let retry = lab.plan(&first, &Again::Failed).unwrap();
    assert_eq!(becomes(&retry, Becomes::Again), ["review", "after"]);
    assert_eq!(becomes(&retry, Becomes::Decided), ["never"]);
    let kept = ["list", "each", "both", "one", "two", "each[0]", "each[1]"];
    assert_eq!(becomes(&retry, Becomes::Reused).len(), kept.len());
    let second = lab.again(&first, &Again::Failed).await;
    assert_eq!(second.status, Status::Succeeded, "{:#?}", summary(&second));
    assert_eq!(reused(&second), ["list", "each[0]", "each[1]", "one", "two"]);
    assert_eq!((second.metrics.reused, second.metrics.attempts), (5, 1));
    assert_ne!(first.run_id, second.run_id);
    for task in ["list", "each", "each[0]", "both"] {
        assert_eq!(output(&first, task), output(&second, task), "{task}");
    }
    lab.check_past(&second);
    // And again, from what it took over itself.
    let third = lab.again(&second, &from(&["after"])).await;
    assert_eq!(third.metrics.reused, 6);
    assert_eq!(output(&third, "after"), output(&second, "after"));
    lab.check_past(&third);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_done_again_with_its_steps_its_items_and_what_depends_on_it() {
    let lab = Lab::new();
    let run = lab.run(FLOW).await;
    let again = |tasks: &[&str]| {
        let retry = lab.plan(&run, &from(tasks)).unwrap();
        becomes(&retry, Becomes::Again).join(" ")
    };
    assert_eq!(again(&["each"]), "each review after each[0] each[1]");
    assert_eq!(again(&["each[1]"]), "each review after each[1]");
    assert_eq!(again(&["both"]), "both one two review after");
    assert_eq!(again(&["two"]), "both two review after");
    assert_eq!(again(&["one"]), "both one two review after");
    assert_eq!(again(&["list"]), "list each both one two never review after each[0] each[1]");
    assert_eq!(again(&["after", "review"]), "review after");
    let error = lab.plan(&run, &from(&["lisd"])).unwrap_err();
    assert!(error.to_string().contains("did you mean 'list'?"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_fan_out_only_the_items_that_failed_are_done_again() {
    let lab = Lab::new();
    let run = lab
        .run(
            "
- {task_id: each, description: '{{ item }}', for_each: [tell, refuse, tell], on_failure: continue}
- {task_id: after, description: count, input: '{{ results.each }}', depends_on: [each]}
",
        )
        .await;
    assert_eq!(run.metrics.tasks["failed"], 1);
    let retry = lab.plan(&run, &Again::Failed).unwrap();
    assert_eq!(becomes(&retry, Becomes::Again), ["each", "after", "each[1]"]);
    let second = lab.again(&run, &Again::Failed).await;
    assert_eq!(reused(&second), ["each[0]", "each[2]"]);
    assert_eq!(second.task("each[1]").unwrap().status, Status::Failed);
    lab.check_past(&second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_agents_had_added_is_there_again() {
    let lab = Lab::new();
    let text = r#"
tasks:
  - task_id: a
    description: spawn
    input: [{"task_id": "x", "description": "tell"}, {"task_id": "y", "depends_on": ["x"], "description": "tell"}]
  - {task_id: review, type: approval, description: 'good?', depends_on: [a], on_failure: skip}
"#;
    let first = lab.run(text).await;
    let second = lab.again(&first, &Again::Failed).await;
    assert_eq!(second.status, Status::Succeeded, "{:?}", summary(&second));
    let mut all = reused(&second);
    all.sort_unstable();
    assert_eq!(all, ["a", "x", "y"]);
    let third = lab.again(&second, &from(&["x"])).await;
    assert_eq!((reused(&third), third.metrics.attempts), (vec!["a", "review"], 2));
    // Who adds them anew adds them anew.
    let fourth = lab.again(&third, &from(&["a"])).await;
    assert_eq!((reused(&fourth), fourth.metrics.attempts), (vec![], 3));
    for report in [&second, &third, &fourth] {
        lab.check_past(report);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_failed_or_is_not_over_is_not_done_again() {
    let lab = Lab::new();
    let run = lab.run("[{task_id: a, description: tell}]").await;
    let error = lab.plan(&run, &Again::Failed).unwrap_err();
    assert!(matches!(error, RetryError::NothingFailed { .. }), "{error}");
    let error = Retry::plan(&lab.store.reader().unwrap(), "nothing", &Again::Failed).unwrap_err();
    assert!(matches!(error, RetryError::Run(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_open_has_its_tasks_again_and_comes_to_its_end() {
    let lab = Lab::new();
    let opening = Opening { store: Some(lab.store.clone()), ..Opening::default() };
    let coordinator = Coordinator::open(&ENGINE, opening).await.expect("a run");
    let tasks = [
        json!({"task_id": "well", "description": "tell"}),
        json!({"task_id": "badly", "description": "refuse", "depends_on": ["well"]}),
        json!({"task_id": "after", "description": "tell", "depends_on": ["badly"]}),
    ];
    coordinator.submit_tasks(tasks.to_vec()).await.expect("tasks");
    let first = coordinator.finish().await.expect("a report");
    let second = lab.again(&first, &Again::Failed).await;
    assert_eq!(reused(&second), ["well"]);
    assert_eq!(second.metrics.tasks, first.metrics.tasks);
    lab.check_past(&second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_named_is_done_anew_whatever_is_cached() {
    let lab = Lab::new();
    let first = lab
        .run(
            "
- {task_id: a, description: count, input: anew, cache: {}}
- {task_id: b, description: count, input: too, cache: {}, depends_on: [a]}
",
        )
        .await;
    let done = |report: &Report| {
        report.tasks.iter().map(|task| (task.attempts, task.cached)).collect::<Vec<_>>()
    };
    assert_eq!(done(&first), [(1, false), (1, false)]);
    // What depends on it may be as it was, and then is not done.
    assert_eq!(done(&lab.again(&first, &from(&["a"])).await), [(1, false), (1, true)]);
}
