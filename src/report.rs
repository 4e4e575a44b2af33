//! To come.
use crate::record::Record;
pub struct Page {
    pub markdown: String,
    pub files: Vec<(String, String)>,
}
pub fn render(_record: &Record) -> Page {
    Page { markdown: String::new(), files: Vec::new() }
}
pub fn answer(_record: &Record) -> String {
    String::new()
}
pub mod terminal {
    pub fn summary(record: &super::Record, _width: usize, _color: bool) -> String {
        serde_json::to_string_pretty(record).unwrap_or_default()
    }
}
