//! E-mail addresses in responses.

use super::baseline::PageText;

/// The first e-mail address that stands in each of these responses.
pub(super) fn common_address<'a>(mut replies: impl Iterator<Item = PageText<'a>>) -> Option<String> {
    let mut common: Vec<&[u8]> = addresses(replies.next()?.body);
    for reply in replies {
        let here = addresses(reply.body);
        common.retain(|address| here.contains(address));
    }
    common.first().map(|address| String::from_utf8_lossy(address).into_owned())
}

/// All e-mail addresses of a text, in order.
pub(super) fn addresses(text: &[u8]) -> Vec<&[u8]> {
    let of_local = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    let of_domain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let address = |at: usize| {
        let local = text[..at].iter().rev().take_while(|byte| of_local(**byte)).count();
        let mut domain = text[at + 1..].iter().take_while(|byte| of_domain(**byte)).count();
        // The full stop of a sentence is no part of it.
        while domain > 0 && !text[at + domain].is_ascii_alphanumeric() {
            domain -= 1;
        }
        let dotted = text[at + 1..=at + domain].contains(&b'.');
        (local > 0 && dotted).then(|| &text[at - local..=at + domain])
    };
    memchr::memchr_iter(b'@', text).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(bodies: &[&str]) -> Option<String> {
        common_address(bodies.iter().map(|body| PageText { head: b"", body: body.as_bytes() }))
    }

    #[test]
    fn an_address_is_common_if_all_responses_hold_it() {
        assert_eq!(common(&["<p>Hi old@mail.test.</p>", "old@mail.test,7"]).as_deref(), Some("old@mail.test"));
        assert_eq!(common(&["a@b.test old@mail.test", "old@mail.test"]).as_deref(), Some("old@mail.test"));
        assert_eq!(common(&["ann@mail.test", "bob@mail.test"]), None);
        assert_eq!(common(&["at@home", "at@home"]), None, "no domain");
        assert_eq!(common(&["@", "@"]), None);
        assert_eq!(common(&[]), None);
    }
}
