//! Where the bytes of a response go: nowhere, or into a buffer.

use std::borrow::Cow;

use super::decoding::{self, MOST_KEPT, Undecoded};

/// Where a response's bytes go. [`Discard`] costs nothing.
pub trait ResponseSink {
    /// Whether anything is made of what comes.
    fn looks(&self) -> bool;
    /// The status of the response, before its body.
    #[inline]
    fn status(&mut self, _status: u16) {}
    /// The status line and all headers, with the empty line; again for each response in the range 1xx before the last.
    fn head(&mut self, bytes: &[u8]);
    /// BodyFraming bytes, without the framing of chunks.
    fn body(&mut self, bytes: &[u8]);
    /// One header that comes after a chunked body, with its line break.
    fn trailer(&mut self, bytes: &[u8]);
}

impl ResponseSink for &mut dyn ResponseSink {
    fn looks(&self) -> bool {
        (**self).looks()
    }

    fn status(&mut self, status: u16) {
        (**self).status(status);
    }

    fn head(&mut self, bytes: &[u8]) {
        (**self).head(bytes);
    }

    fn body(&mut self, bytes: &[u8]) {
        (**self).body(bytes);
    }

    fn trailer(&mut self, bytes: &[u8]) {
        (**self).trailer(bytes);
    }
}

/// Looks at nothing.
pub struct Discard;

impl ResponseSink for Discard {
    fn looks(&self) -> bool {
        false
    }

    fn head(&mut self, _bytes: &[u8]) {}
    fn body(&mut self, _bytes: &[u8]) {}
    fn trailer(&mut self, _bytes: &[u8]) {}
}

/// Keeps a whole response, or as much of a huge one as memory should be given to.
#[derive(Debug, Default, Clone)]
pub struct BufferedResponse {
    /// Trailers included: a header is a header, wherever it stands.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// Something was read and dropped, so that what is not found here may have been there all the same.
    pub cut: bool,
    /// Why the body is not what the server had encoded, or not all of it; to be asked after [`BufferedResponse::decode`].
    pub undecoded: Option<Undecoded>,
}

impl BufferedResponse {
    fn keep(kept: &mut Vec<u8>, bytes: &[u8], cut: &mut bool) {
        let here = bytes.len().min(MOST_KEPT.saturating_sub(kept.len()));
        kept.extend_from_slice(&bytes[..here]);
        *cut |= here < bytes.len();
    }
}

impl ResponseSink for BufferedResponse {
    fn looks(&self) -> bool {
        true
    }

    fn head(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.head, &unfolded(bytes), &mut self.cut);
    }

    fn body(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.body, bytes, &mut self.cut);
    }

    fn trailer(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.head, bytes, &mut self.cut);
    }
}

/// A head whose headers take one line each: a line that begins with white space goes on the one before (RFC 9112, section
/// 5.2).
fn unfolded(head: &[u8]) -> Cow<'_, [u8]> {
    let folds = |at: &usize| matches!(head.get(at + 1), Some(b' ' | b'\t'));
    let mut folds = memchr::memchr_iter(b'\n', head).filter(folds).peekable();
    if folds.peek().is_none() {
        return Cow::from(head);
    }
    let mut out = Vec::with_capacity(head.len());
    let mut from = 0;
    for at in folds {
        out.extend_from_slice(head[from..at].trim_ascii_end());
        out.push(b' ');
        from = at + 1 + head[at + 1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    }
    out.extend_from_slice(&head[from..]);
    Cow::from(out)
}

impl BufferedResponse {
    /// Replaces the body by what the server had encoded, as far as that can be told. What cannot be decoded stays as it
    /// came, and says why.
    pub fn decode(&mut self) {
        let why = decoding::decode(&self.head, &mut self.body, &mut self.cut);
        self.undecoded = why.or(self.undecoded.take());
    }
}
