//! `status`: which programs of the cluster run.

use jiff::Timestamp;

use crate::{
    context::Context,
    error::Result,
    home::{Home, Settings, component::Component, process::Process},
    print::{TabWriter, print},
};

/// Show the components of the cluster.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(_: Args, context: &Context) -> Result<()> {
    let home = context.home()?;
    let settings = home.known_settings()?;
    print(&render(&home, &settings, &home.all_running(), mini_daemon::clock::now()))
}

fn render(home: &Home, settings: &Settings, running: &[(Component, Process)], now: Timestamp) -> String {
    let mut components: Vec<Component> = settings.components().collect();
    // Nodes of an earlier, larger `up` that still run are shown, too.
    components.extend(running.iter().map(|(component, _)| component).filter(|component| settings.components().all(|known| known != **component)).cloned());
    let mut writer = TabWriter::table();
    writer.line("COMPONENT\tSTATUS\tPID\tAGE\tLOG");
    for component in &components {
        let log = home.log(component);
        let log = log.display();
        match running.iter().find(|(other, _)| other == component) {
            Some((_, process)) => {
                let age = mini_api::age::human(now.duration_since(process.since).as_secs());
                let state = if process.is_halted() { "Cut off" } else { "Running" };
                writer.line(&format!("{component}\t{state}\t{}\t{age}\t{log}", process.pid));
            }
            None => writer.line(&format!("{component}\tStopped\t<none>\t<none>\t{log}")),
        }
    }
    format!("API server: http://127.0.0.1:{}\nKubeconfig: {}\n\n{}", settings.port, home.kubeconfig().display(), writer.take())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::{AdminPorts, Doors};

    #[test]
    fn every_component_has_a_line() {
        let now: Timestamp = "2026-11-20T22:40:00Z".parse().unwrap();
        let process = |pid| Process { pid, started: String::new(), since: "2026-11-20T22:39:30Z".parse().unwrap() };
        let running = [(Component::Apiserver, process(10)), (Component::Kubelet("k8s-node-9".into()), process(11))];
        let text = render(&Home::new("/h".into()), &Settings { port: 6443, nodes: 1, admin: AdminPorts::default(), doors: Doors::default(), extra: Vec::new() }, &running, now);
        assert_eq!(
            text,
            "API server: http://127.0.0.1:6443\nKubeconfig: /h/kubeconfig\n\n\
             COMPONENT     STATUS    PID      AGE      LOG\n\
             apiserver     Running   10       30s      /h/logs/apiserver.log\n\
             scheduler     Stopped   <none>   <none>   /h/logs/scheduler.log\n\
             controllers   Stopped   <none>   <none>   /h/logs/controllers.log\n\
             k8s-node-1    Stopped   <none>   <none>   /h/logs/k8s-node-1.log\n\
             k8s-node-9    Running   11       30s      /h/logs/k8s-node-9.log\n"
        );
    }
}
