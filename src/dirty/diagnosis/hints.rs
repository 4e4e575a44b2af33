//! What the head of a response says of a cache. Pure.

/// Words of caches for a response that they had at hand.
const AT_HAND: [&str; 4] = ["hit", "stale", "updating", "revalidated"];

/// Whether a response says that it comes from a cache, or may be kept by one that all share.
pub(super) fn from_a_cache(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let headers =
        || text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()));
    headers().any(|(name, value)| match name {
        "age" => value.parse::<u64>().is_ok(),
        // Two numbers: of this request, and of the one that brought the response.
        "x-varnish" => value.split_ascii_whitespace().count() == 2,
        "cache-control" => is_shared(value),
        name if name.contains("cache") => {
            value.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| AT_HAND.contains(&word))
        }
        _ => false,
    })
}

/// `public`, or an age for caches that all share; `max-age` alone is for browsers too, and counts unless it is private.
fn is_shared(cache_control: &str) -> bool {
    let mut words = cache_control.split(',').map(str::trim);
    let aged = |word: &str| {
        let age = word.strip_prefix("s-maxage=").or_else(|| word.strip_prefix("max-age="));
        age.is_some_and(|age| age.parse::<u64>().is_ok_and(|age| age > 0))
    };
    let forbidden = ["private", "no-store", "no-cache"].iter().any(|word| cache_control.contains(word));
    !forbidden && words.any(|word| word == "public" || aged(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_name_themselves_in_many_ways() {
        let says = |header: &str| from_a_cache(format!("HTTP/1.1 200 OK\r\nServer: a\r\n{header}\r\n\r\n").as_bytes());
        for header in
            ["Age: 3", "age: 0", "X-Cache: HIT", "X-Cache-Status: STALE", "CF-Cache-Status: hit", "X-Varnish: 12 7"]
        {
            assert!(says(header), "{header}");
        }
        for header in [
            "X-Cache: HIT from proxy",
            "Cache-Status: nginx; hit",
            "Cache-Control: public, max-age=60",
            "X-FastAPI-Cache: HIT",
        ] {
            assert!(says(header), "{header}");
        }
        for header in
            ["X-Cache: MISS", "X-Varnish: 12", "Cache-Control: private, max-age=60", "Cache-Control: max-age=0"]
        {
            assert!(!says(header), "{header}");
        }
        assert!(!says("Cache-Control: no-store") && !says("X-White: hit") && !says("Cache-Status: nginx; fwd=miss"));
    }
}
