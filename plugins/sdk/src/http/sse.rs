//! *Server-sent events*: a body of small messages, as the HTML standard has
//! them and as agents really send them.

use crate::failure::Failure;
use crate::http::lines::Lines;

/// One message of an event stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// What kind of message it is; `message` unless the server says otherwise.
    pub name: String,
    /// The text, lines joined by `\n`.
    pub data: String,
    /// The server's id of the message, if it gave one.
    pub id: Option<String>,
}

/// The events of a body, as they arrive. Comments, which servers send as
/// heartbeats, and events without data are passed over. An event that the end
/// of the body cuts short is given out all the same: some servers forget the
/// last empty line.
pub struct Events {
    lines: Lines,
}

impl Events {
    /// The events in these lines.
    pub fn new(lines: Lines) -> Self {
        Self { lines }
    }
}

impl Iterator for Events {
    type Item = Result<Event, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut event = Event::default();
        let mut has_data = false;
        loop {
            let line = match self.lines.next() {
                Some(Ok(line)) => line,
                Some(Err(failure)) => return Some(Err(failure)),
                None if has_data => return finish(event),
                None => return None,
            };
            if line.is_empty() {
                if event.data.is_empty() {
                    event = Event::default();
                    has_data = false;
                    continue;
                }
                return finish(event);
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field.trim_start_matches('\u{feff}') {
                "data" => {
                    if has_data {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                    has_data = true;
                }
                "event" => event.name = value.to_owned(),
                "id" => event.id = Some(value.to_owned()),
                _ => {}
            }
        }
    }
}

fn finish(mut event: Event) -> Option<Result<Event, Failure>> {
    if event.data.is_empty() {
        return None;
    }
    if event.name.is_empty() {
        event.name.push_str("message");
    }
    Some(Ok(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(body: &str) -> Vec<(String, String)> {
        let chunks = vec![Ok(body.as_bytes().to_vec())].into_iter();
        Events::new(Lines::new(Box::new(chunks)))
            .map(|event| event.map(|event| (event.name, event.data)).unwrap())
            .collect()
    }

    #[test]
    fn heartbeats_and_empty_events_are_passed_over() {
        let body = ": heartbeat\n\nid: 1\ndata: \n\ndata: {\"a\":1}\n\ndata:[DONE]\n\n";
        assert_eq!(
            events(body),
            [("message".into(), "{\"a\":1}".into()), ("message".into(), "[DONE]".into())]
        );
    }

    #[test]
    fn names_and_several_lines_belong_to_one_event() {
        let body = "event: error\r\ndata: one\r\ndata: two\r\nretry: 5\r\n\r\n";
        assert_eq!(events(body), [("error".into(), "one\ntwo".into())]);
    }

    #[test]
    fn the_last_event_needs_no_empty_line() {
        assert_eq!(events("data: end"), [("message".into(), "end".into())]);
    }

    #[test]
    fn a_broken_connection_is_a_failure() {
        let broken = Failure::transient("the connection broke");
        let chunks = vec![Ok(b"data: a\n\ndata: b\n".to_vec()), Err(broken.clone())].into_iter();
        let mut events = Events::new(Lines::new(Box::new(chunks)));
        assert_eq!(events.next().unwrap().unwrap().data, "a");
        assert_eq!(events.next(), Some(Err(broken)));
        assert_eq!(events.next(), None);
    }
}
