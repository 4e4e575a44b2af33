//! A fixed number of threads that take requests in the order in which they came.

use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::app::App;
use super::connection;
use super::{Stop, drive, responses};
use crate::script::{HandlerRequest, HandlerResponse};

type Task = (HandlerRequest, oneshot::Sender<HandlerResponse>);

/// Serves with handlers on `threads` threads named `name-0` and so on.
pub(super) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    name: &str,
    threads: u32,
    stop: Stop,
) -> std::io::Result<()> {
    let (tasks, queue) = channel();
    let queue = Arc::new(Mutex::new(queue));
    for index in 0..threads {
        let (app, queue) = (Arc::clone(&app), Arc::clone(&queue));
        std::thread::Builder::new().name(format!("{name}-{index}")).spawn(move || work(&app, &queue))?;
    }
    let handle = Rc::new(async move |request| ask(&tasks, request).await);
    connection::serve_each(listener, handle, stop).await;
    Ok(())
}

async fn ask(tasks: &Sender<Task>, request: HandlerRequest) -> HandlerResponse {
    let (reply, answer) = oneshot::channel();
    let sent = tasks.send((request, reply)).is_ok();
    let answer = if sent { answer.await.ok() } else { None };
    answer.unwrap_or_else(|| responses::broken("the thread that handled the request ended"))
}

/// A thread's life: it ends when the server does.
fn work(app: &App, queue: &Mutex<Receiver<Task>>) {
    loop {
        let task = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((request, reply)) = task else { return };
        // A client that has gone takes no response; the work was done all the same, as in the servers this stands for.
        let _ = reply.send(drive::blocking(app, request));
    }
}
