//! A call's *voice* is everything the guest says on the side: log messages,
//! progress, standard output and standard error, metrics. It counts the bytes
//! against the call's `log` limit and passes them on to the observer.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::egress::Denial;
use crate::fault::Exceeded;
use crate::limits::LimitKind;
use crate::observer::{Level, Metric, MetricValue, Observer, Progress};

/// Different metric names one call may use.
const METRIC_NAMES: usize = 64;
/// Longest metric name that is passed on.
const METRIC_NAME_LENGTH: usize = 128;
/// Bytes of an unfinished line that are held back before it is cut in two.
const LINE_LENGTH: usize = 8 << 10;
/// Bytes the guest may write to a standard stream at once.
const WRITE_SIZE: usize = 64 << 10;

/// Shared by the store and the standard streams that the guest holds.
#[derive(Default)]
pub(crate) struct Voice(Mutex<Spoken>);

#[derive(Default)]
struct Spoken {
    observer: Option<Arc<dyn Observer>>,
    plugin: Arc<str>,
    allowed: u64,
    used: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    last_error: Option<String>,
    metric_names: Vec<String>,
    metrics_dropped: bool,
}

impl Voice {
    /// Begins a call: counts from zero and speaks to this observer.
    pub(crate) fn begin(
        &self,
        plugin: &Arc<str>,
        allowed: u64,
        observer: Option<&Arc<dyn Observer>>,
    ) {
        *self.lock() = Spoken {
            observer: observer.cloned(),
            plugin: Arc::clone(plugin),
            allowed,
            ..Spoken::default()
        };
    }

    pub(crate) fn log(&self, level: Level, message: &str) -> Result<(), Exceeded> {
        let mut spoken = self.lock();
        // One more for the line break, so that no message is free.
        spoken.spend(message.len().saturating_add(1))?;
        spoken.say(level, message);
        Ok(())
    }

    pub(crate) fn progress(&self, mut update: Progress) -> Result<(), Exceeded> {
        let mut spoken = self.lock();
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        spoken.spend(length(&update.message) + length(&update.partial) + 1)?;
        update.fraction = update.fraction.filter(|f| !f.is_nan()).map(|f| f.clamp(0.0, 1.0));
        if let Some(observer) = &spoken.observer {
            observer.progress(update);
        }
        Ok(())
    }

    pub(crate) fn metric(&self, name: &str, value: MetricValue) {
        let mut spoken = self.lock();
        let Some(observer) = spoken.observer.clone() else { return };
        let name: String = name
            .chars()
            .take(METRIC_NAME_LENGTH)
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' })
            .collect();
        if !spoken.metric_names.contains(&name) {
            if spoken.metric_names.len() == METRIC_NAMES {
                if !mem::replace(&mut spoken.metrics_dropped, true) {
                    observer.log(
                        Level::Warn,
                        &format!("more than {METRIC_NAMES} metric names in one call: '{name}' and further names are dropped"),
                    );
                }
                return;
            }
            spoken.metric_names.push(name.clone());
        }
        observer.metric(Metric { name: format!("{}.{name}", spoken.plugin), value });
    }

    /// Ends a call: passes on what is left of unfinished lines and what the
    /// network refused, and returns the last telling line of standard error. Says
    /// nothing the second time.
    pub(crate) fn end(&self, denials: &[Denial]) -> Option<String> {
        let mut spoken = self.lock();
        spoken.finish_line(Stream::Stdout);
        spoken.finish_line(Stream::Stderr);
        for Denial { attempted, reason, .. } in denials {
            spoken.say(Level::Warn, &format!("refused {attempted}: {reason}"));
        }
        spoken.observer = None;
        spoken.last_error.take()
    }

    fn write(&self, stream: Stream, bytes: &[u8]) -> Result<(), Exceeded> {
        let mut spoken = self.lock();
        spoken.spend(bytes.len())?;
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            spoken.line(stream).extend_from_slice(piece);
            if piece.ends_with(b"\n") || spoken.line(stream).len() >= LINE_LENGTH {
                spoken.finish_line(stream);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Spoken> {
        // An observer that panicked leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spoken {
    fn spend(&mut self, bytes: usize) -> Result<(), Exceeded> {
        let used = self.used.saturating_add(bytes as u64);
        if used > self.allowed {
            return Err(Exceeded { limit: LimitKind::Log, allowed: self.allowed, used });
        }
        self.used = used;
        Ok(())
    }

    fn say(&self, level: Level, message: &str) {
        if let Some(observer) = &self.observer {
            observer.log(level, message);
        }
    }

    fn line(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn finish_line(&mut self, stream: Stream) {
        let bytes = mem::take(self.line(stream));
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim_end();
        if line.is_empty() {
            return;
        }
        match stream {
            Stream::Stdout => self.say(Level::Info, line),
            Stream::Stderr => {
                self.say(Level::Warn, line);
                // Rust ends a panic with advice on how to run it again.
                if !line.starts_with("note: ") {
                    self.last_error = Some(line.to_owned());
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// One of the guest's standard streams.
#[derive(Clone)]
pub(crate) struct StandardStream {
    voice: Arc<Voice>,
    stream: Stream,
}

impl StandardStream {
    pub(crate) fn out(voice: &Arc<Voice>) -> Self {
        Self { voice: Arc::clone(voice), stream: Stream::Stdout }
    }

    pub(crate) fn err(voice: &Arc<Voice>) -> Self {
        Self { voice: Arc::clone(voice), stream: Stream::Stderr }
    }
}

impl IsTerminal for StandardStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for StandardStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // For callers of WASI 0.1 and 0.3, neither of which is linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for StandardStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.voice
            .write(self.stream, &bytes)
            .map_err(|exceeded| StreamError::Trap(wasmtime::Error::new(exceeded)))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_SIZE)
    }
}

#[async_trait]
impl Pollable for StandardStream {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn log(&self, level: Level, message: &str) {
            self.0.lock().expect("no panics").push(format!("{level:?}: {message}"));
        }
        fn progress(&self, update: Progress) {
            self.0.lock().expect("no panics").push(format!("{:?}", update.fraction));
        }
        fn metric(&self, metric: Metric) {
            self.0.lock().expect("no panics").push(metric.name);
        }
    }

    fn voice(allowed: u64) -> (Voice, Arc<Heard>) {
        let heard = Arc::new(Heard::default());
        let observer: Arc<dyn Observer> = heard.clone();
        let voice = Voice::default();
        voice.begin(&"p".into(), allowed, Some(&observer));
        (voice, heard)
    }

    fn lines(heard: &Heard) -> Vec<String> {
        heard.0.lock().expect("no panics").clone()
    }

    #[test]
    fn everything_counts_against_one_limit_and_is_kept_until_then() {
        let (voice, heard) = voice(10);
        voice.log(Level::Info, "1234").expect("within");
        voice.write(Stream::Stdout, b"abc\n").expect("within");
        let exceeded = voice.log(Level::Info, "6").expect_err("5 + 4 + 2 > 10");
        assert_eq!((exceeded.allowed, exceeded.used), (10, 11));
        assert_eq!(lines(&heard), ["Info: 1234", "Info: abc"]);
    }

    #[test]
    fn streams_arrive_line_by_line_and_the_last_error_is_remembered() {
        let (voice, heard) = voice(1000);
        voice.write(Stream::Stderr, b"one\r\ntw").expect("within");
        assert_eq!(lines(&heard), ["Warn: one"]);
        voice.write(Stream::Stderr, b"o").expect("within");
        voice.write(Stream::Stderr, b"\nnote: run again").expect("within");
        assert_eq!(voice.end(&[]).as_deref(), Some("two"));
        assert_eq!(lines(&heard), ["Warn: one", "Warn: two", "Warn: note: run again"]);
    }

    #[test]
    fn metric_names_are_cleaned_prefixed_and_bounded() {
        let (voice, heard) = voice(1000);
        voice.metric("a b", MetricValue::Count(1));
        assert_eq!(lines(&heard), ["p.a_b"]);
        for i in 0..100 {
            voice.metric(&format!("m{i}"), MetricValue::Count(1));
        }
        voice.metric("a b", MetricValue::Count(1));
        let lines = lines(&heard);
        assert_eq!(lines.iter().filter(|line| line.starts_with("Warn")).count(), 1);
        assert_eq!(lines.len(), 1 + 63 + 1 + 1);
    }

    #[test]
    fn progress_is_clamped() {
        let (voice, heard) = voice(1000);
        for fraction in [Some(2.0), Some(f64::NAN), None] {
            voice.progress(Progress { fraction, ..Progress::default() }).expect("within");
        }
        assert_eq!(lines(&heard), ["Some(1.0)", "None", "None"]);
    }
}
