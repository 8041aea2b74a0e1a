//! *Lines* of a body, given out as soon as they are complete.

use crate::failure::Failure;
use crate::http::response::Chunks;

/// The longest line accepted, in bytes.
pub const MAX_LINE: usize = 8 << 20;

/// Splits a body at `\n` or `\r\n`; the last line may have no end. After a
/// failure nothing follows.
pub struct Lines {
    chunks: Chunks,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    taken: usize,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    ended: bool,
}

impl Lines {
    /// Lines of a body that comes in these pieces.
    pub fn new(chunks: Chunks) -> Self {
        Self { chunks, buffer: Vec::new(), taken: 0, searched: 0, ended: false }
    }

    fn take(&mut self, end: usize) -> String {
        let line = &self.buffer[self.taken..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8_lossy(line).into_owned()
    }

    /// Adds the next piece to the buffer; `false` at the end of the body.
    fn refill(&mut self) -> Result<bool, Failure> {
        self.buffer.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        if self.buffer.len() > MAX_LINE {
            let message = format!("the agent sent a line of more than {MAX_LINE} bytes");
            return Err(Failure::permanent(message).with_code("line-too-long"));
        }
        match self.chunks.next() {
            Some(chunk) => self.buffer.append(&mut chunk?),
            None => return Ok(false),
        }
        Ok(true)
    }
}

impl Iterator for Lines {
    type Item = Result<String, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            if let Some(found) = self.buffer[self.searched..].iter().position(|&b| b == b'\n') {
                let end = self.searched + found;
                let line = self.take(end);
                self.taken = end + 1;
                self.searched = end + 1;
                return Some(Ok(line));
            }
            self.searched = self.buffer.len();
            match self.refill() {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    let rest = self.take(self.buffer.len());
                    return (!self.buffer.is_empty()).then_some(Ok(rest));
                }
                Err(failure) => {
                    self.ended = true;
                    return Some(Err(failure));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: Vec<Result<&'static [u8], Failure>>) -> Vec<Result<String, Failure>> {
        let chunks = chunks.into_iter().map(|chunk| chunk.map(<[u8]>::to_vec));
        Lines::new(Box::new(chunks)).collect()
    }

    #[test]
    fn lines_do_not_depend_on_how_the_body_arrives() {
        let body = "one\r\ntwo\n\nthree é\nfour".as_bytes();
        let whole: Vec<_> = lines(vec![Ok(body)]).into_iter().map(Result::unwrap).collect();
        assert_eq!(whole, ["one", "two", "", "three é", "four"]);
        let bytes = body.chunks(1).map(Ok).collect();
        let bytewise: Vec<_> = lines(bytes).into_iter().map(Result::unwrap).collect();
        assert_eq!(bytewise, whole);
    }

    #[test]
    fn a_line_that_breaks_off_is_a_failure_and_the_end() {
        let broken = Failure::transient("the connection broke");
        let read = lines(vec![Ok(b"one\ntw"), Err(broken.clone()), Ok(b"o\n")]);
        assert_eq!(read, [Ok("one".into()), Err(broken)]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let chunk: &'static [u8] = &[b'x'; 1 << 20];
        let read = lines(vec![Ok(chunk); 9]);
        let failure = read.last().unwrap().as_ref().unwrap_err();
        assert_eq!(failure.code(), Some("line-too-long"));
    }
}
