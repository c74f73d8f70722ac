//! Discovery and negotiation over raw HTTP: what the server says it has, in which forms it answers, and what clients may keep.

use std::io::Read;

use mini_tests::http::{Answer, Http};
use serde_json::{Value, json};

use crate::alone::server;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

async fn get(http: &Http, path: &str, headers: &[(&str, &str)]) -> Answer {
    http.send("GET", path, headers, "").await
}

fn header(answer: &Answer, name: &str) -> String {
    answer.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// Code, reason and message of a refusal.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let status = answer.json();
    let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
    assert_eq!((text("kind"), text("status")), ("Status".to_owned(), "Failure".to_owned()), "{status}");
    (answer.code, text("reason"), text("message"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_versions_and_resources_are_told_in_both_forms() {
    let (cluster, http) = server().await;
    let core = http.get("/api").await.json();
    assert_eq!((&core["kind"], &core["versions"]), (&json!("APIVersions"), &json!(["v1"])));
    let groups = http.get("/apis").await.json();
    let names: Vec<&str> = groups["groups"].as_array().into_iter().flatten().filter_map(|group| group["name"].as_str()).collect();
    assert_eq!(names[..4], ["apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io"]);
    for group in groups["groups"].as_array().into_iter().flatten() {
        assert_eq!(group["preferredVersion"], group["versions"][0]);
        let name = group["name"].as_str().unwrap_or_default();
        assert_eq!(http.get(&format!("/apis/{name}")).await.json()["preferredVersion"], group["preferredVersion"]);
    }
    let scaling = http.get("/apis/autoscaling").await.json();
    assert_eq!(scaling["preferredVersion"], json!({ "groupVersion": "autoscaling/v2", "version": "v2" }));
    assert_eq!(http.get("/api/v1").await.json().get("apiVersion"), None);
    let apps = http.get("/apis/apps/v1").await.json();
    assert_eq!(apps["apiVersion"], "v1");

    // What one group-version says in the old form, it says in the new one.
    let aggregated = get(&http, "/apis", &[("accept", &format!("{AGGREGATED},application/json"))]).await;
    assert_eq!(header(&aggregated, "content-type"), AGGREGATED);
    let items = aggregated.json();
    let group = items["items"].as_array().into_iter().flatten().find(|item| item["metadata"]["name"] == "apps").expect("apps").clone();
    let told: Vec<String> = group["versions"][0]["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|resource| {
            let name = resource["resource"].as_str().unwrap_or_default().to_owned();
            let parts = resource["subresources"].as_array().cloned().unwrap_or_default();
            let parts = parts.into_iter().map(|part| part["subresource"].as_str().unwrap_or_default().to_owned());
            std::iter::once(name.clone()).chain(parts.map(move |part| format!("{name}/{part}"))).collect::<Vec<_>>()
        })
        .collect();
    let old: Vec<&str> = apps["resources"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(told, old);
    // Who does not ask for it gets the old form, and so does who asks for a version of it that has gone, as kubectl 1.27 does.
    let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    for accept in ["application/json", "*/*", beta] {
        let answer = get(&http, "/apis", &[("accept", accept)]).await;
        assert_eq!(
            (header(&answer, "content-type").as_str(), &answer.json()["kind"]),
            ("application/json", &json!("APIGroupList")),
            "{accept}"
        );
    }

    assert_eq!(http.get("/apis/nope.example.com").await.text(), "404 page not found\n");
    assert_eq!(http.get("/nope").await.text(), "404 page not found\n");
    assert_eq!(
        refusal(&http.get("/apis/apps/v9").await),
        (404, "NotFound".to_owned(), "the server could not find the requested resource".to_owned())
    );
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_and_health_are_told_to_whoever_asks() {
    let (cluster, http) = server().await;
    let version = http.get("/version").await.json();
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("36")));
    assert!(version["gitVersion"].as_str().is_some_and(|text| text.starts_with("v1.36.")), "{version}");
    for path in ["/healthz", "/livez", "/readyz"] {
        let plain = http.get(path).await;
        assert_eq!((plain.code, plain.text(), header(&plain, "content-type")), (200, "ok".into(), "text/plain; charset=utf-8".into()));
        let verbose = http.get(&format!("{path}?verbose")).await.text();
        assert!(verbose.starts_with("[+]ping ok\n"), "{verbose}");
        assert!(verbose.ends_with(&format!("{} check passed\n", &path[1..])), "{verbose}");
    }
    assert!(http.get("/metrics").await.text().contains("apiserver_request_total"));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_kept_by_their_tags() {
    let (cluster, http) = server().await;
    let index = http.get("/openapi/v3").await;
    let paths = index.json()["paths"].as_object().cloned().expect("paths");
    assert!(paths.contains_key("api/v1") && paths.contains_key("apis/apps/v1"), "{:?}", paths.keys());
    let url = paths["apis/apps/v1"]["serverRelativeURL"].as_str().expect("an URL").to_owned();
    let (bare, hash) = url.split_once("?hash=").expect("a hash");

    let named = http.get(&url).await;
    assert_eq!((named.code, header(&named, "etag")), (200, format!("\"{hash}\"")));
    assert_eq!((header(&named, "cache-control"), header(&named, "vary")), ("public, immutable".to_owned(), "Accept".to_owned()));
    assert!(header(&named, "expires").ends_with(" GMT"), "{}", header(&named, "expires"));
    assert_eq!(named.json()["openapi"], "3.0.0");
    let unnamed = http.get(bare).await;
    assert_eq!((unnamed.body.clone(), header(&unnamed, "cache-control")), (named.body.clone(), "no-cache, private".to_owned()));
    // A hash that has gone leads to the present document.
    let gone = http.get(&format!("{bare}?hash=0")).await;
    assert_eq!((gone.code, header(&gone, "location")), (301, url.clone()));
    assert_eq!(http.get("/openapi/v3/apis/nope/v1").await.code, 404);

    for (path, accept) in [
        ("/openapi/v3", "application/json"),
        (bare, "application/json"),
        ("/openapi/v2", "application/json"),
        ("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"),
        ("/api", AGGREGATED),
        ("/apis", AGGREGATED),
    ] {
        let first = get(&http, path, &[("accept", accept)]).await;
        let tag = header(&first, "etag");
        assert!(first.code == 200 && tag.starts_with('"'), "{path}: {} {tag}", first.code);
        let again = get(&http, path, &[("accept", accept), ("if-none-match", &tag)]).await;
        assert_eq!((again.code, again.body.len(), header(&again, "etag")), (304, 0, tag), "{path}");
        assert_eq!(get(&http, path, &[("accept", accept), ("if-none-match", "\"other\"")]).await.code, 200, "{path}");
    }
    let old = get(&http, "/openapi/v2", &[("accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")]).await;
    assert_eq!(header(&old, "content-type"), "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_wanted_form_that_can_be_had_is_answered() {
    let (cluster, http) = server().await;
    http.post(MAPS, &json!({ "metadata": { "name": "a" }, "data": { "k": "v" } })).await;
    let one = format!("{MAPS}/a");
    let form = async |accept: &str| {
        let answer = get(&http, &one, &[("accept", accept)]).await;
        let kind = answer.json()["kind"].as_str().map_or_else(|| "not JSON".to_owned(), str::to_owned);
        (answer.code, header(&answer, "content-type"), kind)
    };
    let json = |kind: &str| (200, "application/json".to_owned(), kind.to_owned());
    let yaml = (200, "application/yaml".to_owned(), "not JSON".to_owned());
    // As kubectl asks.
    let kubectl = format!("{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json");
    assert_eq!(form(&kubectl).await, json("Table"));
    assert_eq!(form("application/json;as=Table;v=v9;g=meta.k8s.io,application/json").await, json("ConfigMap"));
    // As client-go asks since it prefers protobuf, and as browsers ask.
    assert_eq!(form("application/vnd.kubernetes.protobuf,application/json").await, json("ConfigMap"));
    assert_eq!(form("text/html,application/xhtml+xml,*/*;q=0.8").await, json("ConfigMap"));
    assert_eq!(form("application/json;q=0.1, application/yaml;q=0.9").await, yaml);
    assert_eq!(form("*/*, application/yaml").await, yaml);
    assert_eq!(form("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").await, json("PartialObjectMetadata"));

    let refused = async |accept: &str| refusal(&get(&http, &one, &[("accept", accept)]).await);
    let available = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml";
    for accept in ["text/plain", "application/vnd.kubernetes.protobuf", "application/*"] {
        assert_eq!(refused(accept).await, (406, "NotAcceptable".to_owned(), available.to_owned()), "{accept}");
    }
    let accepted = "only the following media types are accepted: application/json, application/yaml";
    assert_eq!(refused("application/json;as=Chair;g=meta.k8s.io;v=v1").await, (406, "NotAcceptable".to_owned(), accepted.to_owned()));

    let table = get(&http, &format!("{one}?includeObject=None"), &[("accept", TABLE)]).await.json();
    assert_eq!((&table["rows"][0]["object"], &table["rows"][0]["cells"][0]), (&Value::Null, &json!("a")));
    let table = get(&http, &format!("{one}?includeObject=Object"), &[("accept", TABLE)]).await.json();
    assert_eq!(table["rows"][0]["object"]["data"]["k"], "v");
    assert_eq!(table["metadata"]["resourceVersion"], table["rows"][0]["object"]["metadata"]["resourceVersion"]);
    let message =
        "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', 'None', or empty";
    assert_eq!(
        refusal(&get(&http, &format!("{one}?includeObject=All"), &[("accept", TABLE)]).await),
        (400, "BadRequest".to_owned(), message.to_owned())
    );

    let sent = async |method: &str, form: &str| refusal(&http.send(method, &one, &[("content-type", form)], "{}").await);
    let unknown = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    assert_eq!(sent("PUT", "text/plain").await, (415, "UnsupportedMediaType".to_owned(), unknown.to_owned()));
    assert_eq!(sent("PATCH", "application/json").await, (415, "UnsupportedMediaType".to_owned(), "415: Unsupported Media Type".to_owned()));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_are_compressed_for_whoever_takes_it() {
    let (cluster, http) = server().await;
    for name in ["a", "b", "c"] {
        let data = json!({ "metadata": { "name": name }, "data": { "k": format!("{name}-0123456789").repeat(16 * 1024) } });
        assert_eq!(http.post(MAPS, &data).await.code, 201);
    }
    let takes = [("accept-encoding", "deflate, gzip")];
    let plain = http.get(MAPS).await;
    assert_eq!((header(&plain, "content-encoding"), plain.body.len() > 512 * 1024), (String::new(), true));
    let small = get(&http, &format!("{MAPS}?fieldSelector=metadata.name%3Dnope"), &takes).await;
    assert_eq!(header(&small, "content-encoding"), "");
    let packed = get(&http, MAPS, &takes).await;
    assert_eq!((header(&packed, "content-encoding"), header(&packed, "vary")), ("gzip".to_owned(), "Accept-Encoding".to_owned()));
    assert!(packed.body.len() * 10 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).expect("it is gzip");
    assert!(unpacked == plain.body, "it says something else");
    // A document, which is one large piece.
    let document = get(&http, "/openapi/v2", &takes).await;
    assert_eq!(header(&document, "content-encoding"), "gzip");
    assert_eq!(header(&get(&http, "/openapi/v2", &[("accept-encoding", "gzip;q=0")]).await, "content-encoding"), "");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_are_on_their_way_out_work_and_warn() {
    let (cluster, http) = server().await;
    let old = "/apis/extensions/v1beta1/namespaces/default/deployments";
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    let made = http.post(old, &json!({ "metadata": { "name": "d" }, "spec": { "template": template } })).await;
    let warning = "299 - \"extensions/v1beta1 Deployment is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 Deployment\"";
    assert_eq!((made.code, made.warnings()), (201, vec![warning.to_owned()]), "{}", made.text());
    assert_eq!(made.json()["apiVersion"], "extensions/v1beta1");
    let new = http.get("/apis/apps/v1/namespaces/default/deployments/d").await;
    assert_eq!((&new.json()["spec"]["selector"]["matchLabels"], new.warnings().len()), (&json!({ "a": "b" }), 0));
    // Whatever is asked, and whatever comes of it.
    for (method, path, code) in [
        ("GET", format!("{old}/d"), 200),
        ("GET", old.to_owned(), 200),
        ("GET", format!("{old}/nope"), 404),
        ("GET", format!("{old}/d/scale"), 200),
        ("DELETE", format!("{old}/d"), 200),
    ] {
        let answer = http.send(method, &path, &[], "").await;
        assert_eq!((answer.code, answer.warnings()), (code, vec![warning.to_owned()]), "{method} {path}");
    }
    let endpoints = http.get("/api/v1/namespaces/default/endpoints").await;
    let warning = "299 - \"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\"";
    assert_eq!(endpoints.warnings(), [warning]);
    // Clients find them, but prefer the present ones, to which alone short names lead.
    let apps = http.get("/apis/apps").await.json();
    assert_eq!(apps["preferredVersion"]["version"], "v1");
    let told = http.get("/apis/extensions/v1beta1").await.json();
    assert!(told["resources"].as_array().into_iter().flatten().all(|one| one.get("shortNames").is_none()), "{told}");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_also_tells_what_the_client_was_to_be_warned_of() {
    let (cluster, http) = server().await;
    let body = json!({ "metadata": { "name": "a" }, "dta": {} });
    let first = http.post(MAPS, &body).await;
    let again = http.post(MAPS, &body).await;
    assert_eq!((first.code, again.code), (201, 409));
    assert_eq!(first.warnings(), ["299 - \"unknown field \\\"dta\\\"\""]);
    assert_eq!(again.warnings(), first.warnings());
    cluster.stop().await.expect("it stops");
}
