//! What a report shows of the server's samples and events.

use snapbox::assert_data_eq;

use super::{check_svg, more_fixtures, render};

#[test]
fn a_server_with_samples_reads_as_agreed() {
    let page = render(&more_fixtures::aborted());
    assert_data_eq!(page.markdown, snapbox::file!["aborted.md"].raw());
    let (_, svg) = page.files.iter().find(|(name, _)| name == "server.svg").unwrap();
    check_svg(svg);
    let drawn = |text: &str| svg.contains(&format!("\n{text}\n"));
    assert!(
        ["CPU, cores in use, mean over half a second", "memory, MB", "threads", "2"].into_iter().all(drawn),
        "{svg}"
    );
    assert!(svg.contains("1 process 4712 was killed") && !svg.contains("4720"), "{svg}");
}

#[test]
fn too_few_samples_make_no_picture() {
    let mut record = more_fixtures::aborted();
    record.variants[0].trials[0].servers[0].samples.truncate(2);
    let page = render(&record);
    assert!(page.files.iter().all(|(name, _)| name != "server.svg"));
}

#[test]
fn many_events_are_counted() {
    let mut record = more_fixtures::aborted();
    let servers = &mut record.variants[0].trials[0].servers;
    servers.truncate(1);
    let server = &mut servers[0];
    server.events = vec![server.events[0].clone(); 27];
    let page = render(&record);
    assert_eq!(page.markdown.matches("process 4712").count(), 20);
    assert!(page.markdown.contains("\nand 7 more\n"), "{}", page.markdown);
}
