//! A pod with all kinds of references, against objects that a test says.

use std::{collections::HashSet, fmt::Write as _};

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::{
    config::Config,
    resting::PodCell,
    runtime::{Content, Image, Source},
};

/// What a container of this pod is started with, and what its volumes lack.
async fn resolved(pod: Value, objects: &[Value]) -> (Context, Arc<PodCell>, Option<Arc<Volumes>>, Result<StartRequest, String>) {
    let (all, _) = crate::objects::objects(crate::worker::nowhere());
    for object in objects {
        all.set(object);
    }
    all.known();
    let mut whole = json!({ "metadata": { "name": "web", "namespace": "default", "uid": "u1" }, "spec": { "nodeName": "n" } });
    json_patch::merge(&mut whole, &pod);
    let pod: Arc<Pod> = Arc::new(serde_json::from_value(whole).unwrap());
    let facts = Facts::new("n", &Config::single("n"), None, &mut HashSet::new(), ([127, 0, 0, 1], 1).into(), "boot");
    let ip = |text: &str| text.parse().ok();
    let network = Network { ip: ip("10.244.1.5"), host_ip: ip("192.168.0.1"), dns: None };
    let context = Context { pod: pod.clone(), facts: Arc::new(facts), network, objects: all };
    let cell = Arc::new(PodCell::new(pod.clone()));
    let volumes = Volumes::of(&cell, &context.facts, &context.objects);
    let image = Image { reference: String::new(), id: String::new(), size: 0 };
    let mut request = StartRequest::bare("n".into(), pod, "c".into(), 0, image);
    let done = context.complete(&mut request, volumes.as_ref()).await;
    (context, cell, volumes, done.map(|()| request))
}

fn show(request: &StartRequest) -> String {
    let mut text = format!("command {:?} {:?}\n", request.command, request.args);
    for (name, value) in request.environment.iter() {
        let _ = writeln!(text, "{name}={value}");
    }
    for mount in &request.mounts {
        let _ = write!(text, "{} at {} sub {:?} ro {}", mount.volume, mount.path, mount.sub_path, mount.read_only);
        match &mount.source {
            Source::Files(files) => {
                let _ = writeln!(text);
                for file in files.list() {
                    let content = match file.content {
                        Content::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                        Content::Token(_) => "(a token)".to_owned(),
                    };
                    let _ = writeln!(text, "  {} {:o} {content:?}", file.path, file.mode);
                }
            }
            other => drop(writeln!(text, " {other:?}")),
        }
    }
    text
}

async fn check(pod: Value, objects: &[Value], expected: Expect) {
    let (_, _, volumes, request) = resolved(pod, objects).await;
    let mut text = match &request {
        Ok(request) => show(request),
        Err(why) => format!("{why}\n"),
    };
    if let Some(volumes) = volumes {
        for missing in volumes.missing().await {
            let _ = writeln!(text, "missing {} : {} {}", missing.volume, missing.why, if missing.unknown { "(unknown)" } else { "" });
        }
    }
    expected.assert_eq(&text);
}

fn settings() -> Value {
    json!({ "kind": "ConfigMap", "metadata": { "name": "settings", "namespace": "default" }, "data": { "color": "blue", "size": "5" } })
}

fn password() -> Value {
    json!({ "kind": "Secret", "metadata": { "name": "password", "namespace": "default" }, "data": { "word": "aHVzaA==" } })
}

#[tokio::test]
async fn variables_come_from_everywhere() {
    let env = json!([
        { "name": "NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
        { "name": "IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
        { "name": "NODE", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } },
        { "name": "APP", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['app']" } } },
        { "name": "CPU", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } },
        { "name": "MEMORY", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory", "divisor": "1Mi" } } },
        { "name": "REQUEST", "valueFrom": { "resourceFieldRef": { "resource": "requests.cpu", "divisor": "1m" } } },
        { "name": "COLOR", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "color" } } },
        { "name": "WORD", "valueFrom": { "secretKeyRef": { "name": "password", "key": "word" } } },
        { "name": "NONE", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "shape", "optional": true } } },
        { "name": "ABSENT", "valueFrom": { "secretKeyRef": { "name": "nosuch", "key": "k", "optional": true } } },
        { "name": "URL", "value": "http://$(WEB_SERVICE_HOST)/$(COLOR)$$(COLOR)" },
        { "name": "p-size", "value": "6" },
        { "name": "EMPTY" },
    ]);
    let container = json!({ "name": "c", "command": ["echo", "$(NAME)"], "args": ["$(URL)", "$(NOBODY)"], "env": env,
        "envFrom": [{ "prefix": "p-", "configMapRef": { "name": "settings" } }, { "secretRef": { "name": "gone", "optional": true } }],
        "resources": { "limits": { "memory": "64Mi" }, "requests": { "cpu": "250m" } } });
    let service = json!({ "kind": "Service", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "clusterIP": "10.254.0.7", "ports": [{ "port": 80 }] } });
    check(
        json!({ "metadata": { "labels": { "app": "shop" } }, "spec": { "containers": [container] } }),
        &[settings(), password(), service],
        expect![[r#"
            command ["echo", "web"] ["http://10.254.0.7/blue$(COLOR)", "$(NOBODY)"]
            WEB_PORT=tcp://10.254.0.7:80
            WEB_PORT_80_TCP=tcp://10.254.0.7:80
            WEB_PORT_80_TCP_ADDR=10.254.0.7
            WEB_PORT_80_TCP_PORT=80
            WEB_PORT_80_TCP_PROTO=tcp
            WEB_SERVICE_HOST=10.254.0.7
            WEB_SERVICE_PORT=80
            p-color=blue
            p-size=6
            NAME=web
            IP=10.244.1.5
            NODE=n
            APP=shop
            CPU=8
            MEMORY=64
            REQUEST=250
            COLOR=blue
            WORD=hush
            URL=http://10.254.0.7/blue$(COLOR)
            EMPTY=
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_variables_need_must_be_there() {
    let with = |container: Value| {
        let mut whole = json!({ "name": "c" });
        json_patch::merge(&mut whole, &container);
        json!({ "spec": { "containers": [whole] } })
    };
    let key = |kind: &str, name: &str, key: &str| json!({ "env": [{ "name": "K", "valueFrom": { kind: { "name": name, "key": key } } }] });
    check(
        with(key("configMapKeyRef", "nosuch", "k")),
        &[],
        expect![[r#"
            configmap "nosuch" not found
        "#]],
    )
    .await;
    check(
        with(key("configMapKeyRef", "settings", "k")),
        &[settings()],
        expect![[r#"
            couldn't find key k in ConfigMap default/settings
        "#]],
    )
    .await;
    check(
        with(key("secretKeyRef", "nosuch", "k")),
        &[],
        expect![[r#"
            secret "nosuch" not found
        "#]],
    )
    .await;
    check(
        with(key("secretKeyRef", "password", "k")),
        &[password()],
        expect![[r#"
            couldn't find key k in Secret default/password
        "#]],
    )
    .await;
    check(
        with(json!({ "envFrom": [{ "secretRef": { "name": "nosuch" } }] })),
        &[],
        expect![[r#"
            secret "nosuch" not found
        "#]],
    )
    .await;
}

#[tokio::test]
async fn volumes_of_all_kinds() {
    let volumes = json!([
        { "name": "settings", "configMap": { "name": "settings", "defaultMode": 0o400, "items": [{ "key": "color", "path": "a/color", "mode": 0o777 }] } },
        { "name": "all", "configMap": { "name": "settings" } },
        { "name": "secret", "secret": { "secretName": "password" } },
        { "name": "api", "projected": { "sources": [
            { "serviceAccountToken": { "path": "token" } },
            { "configMap": { "name": "settings", "items": [{ "key": "size", "path": "size" }] } },
            { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } }] } },
        ] } },
        { "name": "me", "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } }] } },
        { "name": "scratch", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } },
        { "name": "host", "hostPath": { "path": "/data", "type": "DirectoryOrCreate" } },
        { "name": "disk", "persistentVolumeClaim": { "claimName": "data" } },
        { "name": "unused", "configMap": { "name": "nosuch" } },
    ]);
    let mounts: Vec<_> = ["settings", "all", "secret", "api", "me", "scratch", "host", "disk"]
        .map(|name| json!({ "name": name, "mountPath": format!("/{name}") }))
        .into();
    let mut mounts = json!(mounts);
    mounts[1]["subPath"] = "color".into();
    mounts[5]["subPathExpr"] = "logs/$(POD)".into();
    mounts[6]["readOnly"] = true.into();
    let claim = json!({ "kind": "PersistentVolumeClaim", "metadata": { "name": "data", "namespace": "default" },
        "spec": { "volumeName": "pv-1" }, "status": { "phase": "Bound" } });
    let container = json!({ "name": "c", "volumeMounts": mounts, "env": [{ "name": "POD", "value": "web-0" }] });
    check(
        json!({ "metadata": { "labels": { "app": "shop", "tier": "front" } }, "spec": { "containers": [container], "volumes": volumes } }),
        &[settings(), password(), claim],
        expect![[r#"
            command [] []
            POD=web-0
            settings at /settings sub "" ro false
              a/color 777 "blue"
            all at /all sub "color" ro false
              color 644 "blue"
              size 644 "5"
            secret at /secret sub "" ro false
              word 644 "hush"
            api at /api sub "" ro false
              token 644 "(a token)"
              size 644 "5"
              namespace 644 "default"
            me at /me sub "" ro false
              labels 644 "app=\"shop\"\ntier=\"front\""
            scratch at /scratch sub "logs/web-0" ro false Empty { memory: true, limit: Some(1048576) }
            host at /host sub "" ro true Host { path: "/data", kind: "DirectoryOrCreate" }
            disk at /disk sub "" ro false Disk { name: "pv-1" }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_volumes_need_must_be_there() {
    let volumes = json!([
        { "name": "gone", "configMap": { "name": "nosuch" } },
        { "name": "key", "configMap": { "name": "settings", "items": [{ "key": "shape", "path": "shape" }] } },
        { "name": "word", "secret": { "secretName": "password", "items": [{ "key": "other", "path": "other" }] } },
        { "name": "maybe", "secret": { "secretName": "nosuch", "optional": true } },
        { "name": "both", "projected": { "sources": [{ "configMap": { "name": "one" } }, { "secret": { "name": "two" } }] } },
        { "name": "claim", "persistentVolumeClaim": { "claimName": "data" } },
        { "name": "open", "persistentVolumeClaim": { "claimName": "pending" } },
        { "name": "odd", "iscsi": { "iqn": "i", "lun": 0, "targetPortal": "t" } },
    ]);
    let names = ["gone", "key", "word", "maybe", "both", "claim", "open", "odd"];
    let mounts: Vec<_> = names.map(|name| json!({ "name": name, "mountPath": format!("/{name}") })).into();
    let pending = json!({ "kind": "PersistentVolumeClaim", "metadata": { "name": "pending", "namespace": "default" }, "status": { "phase": "Pending" } });
    let (_, _, volumes, _) = resolved(
        json!({ "spec": { "containers": [{ "name": "c", "volumeMounts": mounts }], "volumes": volumes } }),
        &[settings(), password(), pending],
    )
    .await;
    let missing = volumes.unwrap().missing().await;
    let text: String = missing.iter().map(|one| format!("{}: {} {}\n", one.volume, one.why, one.unknown)).collect();
    expect![[r#"
        gone: configmap "nosuch" not found false
        key: configmap references non-existent config key: shape false
        word: references non-existent secret key: other false
        both: [configmap "one" not found, secret "two" not found] false
        claim: error processing PVC default/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found true
        open: error processing PVC default/pending: PVC is not bound true
        odd: no volume plugin matched false
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn files_follow_their_objects_and_outlive_them() {
    let volumes = json!([{ "name": "v", "configMap": { "name": "settings" } },
        { "name": "me", "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } }] } }]);
    let mounts = json!([{ "name": "v", "mountPath": "/v" }, { "name": "me", "mountPath": "/me" }]);
    let pod = json!({ "spec": { "containers": [{ "name": "c", "volumeMounts": mounts }], "volumes": volumes } });
    let (context, cell, volumes, request) = resolved(pod, &[settings()]).await;
    let (volumes, request) = (volumes.unwrap(), request.unwrap());
    assert!(volumes.missing().await.is_empty());
    assert!(show(&request).contains(r#"color 644 "blue""#));
    let mut changed = settings();
    changed["data"]["color"] = "red".into();
    context.objects.set(&changed);
    assert!(show(&request).contains(r#"color 644 "red""#), "a running container sees it");
    context.objects.forget();
    assert!(show(&request).contains(r#"color 644 "red""#), "what was mounted stays");
    let mut pod = (*context.pod).clone();
    pod.metadata.labels = Some([("app".to_owned(), "shop".to_owned())].into());
    cell.set(Arc::new(pod));
    assert!(show(&request).contains(r#"labels 644 "app=\"shop\"""#));
}

/// An API server that gives tokens which live so many seconds, and counts them.
fn mint(seconds: i64) -> (kube::Client, Arc<std::sync::atomic::AtomicUsize>) {
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let number = counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        async move {
            assert_eq!(request.uri().path(), "/api/v1/namespaces/default/serviceaccounts/robot/token");
            let mut body: Value = serde_json::from_slice(&request.into_body().collect_bytes().await.unwrap()).unwrap();
            assert_eq!(body["spec"]["boundObjectRef"], json!({ "apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "u1" }));
            assert_eq!((&body["spec"]["audiences"], &body["spec"]["expirationSeconds"]), (&json!(["vault"]), &json!(3607)));
            let ends = mini_daemon::clock::now() + jiff::SignedDuration::from_secs(seconds);
            body["status"] = json!({ "token": format!("t{number}"), "expirationTimestamp": ends });
            Ok::<_, std::io::Error>(http::Response::new(kube::client::Body::from(body.to_string().into_bytes())))
        }
    });
    (kube::Client::new(service, "default"), count)
}

#[tokio::test]
async fn tokens_are_asked_for_when_they_are_read_and_again_when_they_are_old() {
    for (seconds, want) in [(3607, ["t1", "t1"]), (0, ["t1", "t2"])] {
        let (client, count) = mint(seconds);
        let (objects, _) = crate::objects::objects(client);
        let token = json!({ "serviceAccountToken": { "path": "token", "audience": "vault", "expirationSeconds": 3607 } });
        let pod = json!({
            "metadata": { "name": "web", "namespace": "default", "uid": "u1" },
            "spec": { "serviceAccountName": "robot", "containers": [], "volumes": [{ "name": "api", "projected": { "sources": [token] } }] },
        });
        let cell = Arc::new(PodCell::new(Arc::new(serde_json::from_value(pod).unwrap())));
        let facts = Facts::new("n", &Config::single("n"), None, &mut HashSet::new(), ([127, 0, 0, 1], 1).into(), "boot");
        let volumes = Volumes::of(&cell, &Arc::new(facts), &objects).unwrap();
        let Some(Source::Files(files)) = volumes.source("api") else { panic!("no files") };
        let token = || match &files.list()[0].content {
            Content::Token(token) => token.clone(),
            Content::Bytes(_) => panic!("no token"),
        };
        let first = token();
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 0, "nobody has read it");
        let read = [first.read().await.unwrap(), token().read().await.unwrap()];
        assert_eq!(read, want);
    }
}
