//! What `kubectl kustomize` (kustomize 5.5) has printed for a kustomization with everything that is supported.

use std::fs;

use super::*;

const KUSTOMIZATION: &str = r#"namePrefix: p-
nameSuffix: -s
namespace: team
commonLabels: {app: x}
labels: [{pairs: {tier: yy}, includeSelectors: false, includeTemplates: true}]
commonAnnotations: {note: z}
resources: [all.yaml]
images: [{name: nginx, newName: my/nginx, newTag: "2"}, {name: busybox, digest: "sha256:abc"}]
replicas: [{name: web, count: 7}]
configMapGenerator:
- name: conf
  literals: [a=b, c=d]
  files: [f.txt, other=f.txt]
- name: envs
  envs: [f.env]
  options: {labels: {q: r}, annotations: {aa: bb}, immutable: true}
secretGenerator:
- name: sec
  literals: [pw=x]
  type: Opaque
patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {template: {spec: {containers: [{name: c, env: [{name: A, value: b}]}]}}}
- target: {kind: Service}
  patch: |-
    - {op: replace, path: /spec/type, value: NodePort}
"#;

const OBJECTS: &str = r#"apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: ClusterIP, selector: {k: v}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {k: v}}
  template:
    metadata: {labels: {k: v}}
    spec:
      serviceAccountName: robot
      initContainers: [{name: i, image: busybox}]
      containers:
      - name: c
        image: nginx:1
        envFrom: [{configMapRef: {name: conf}}, {secretRef: {name: sec}}]
        env: [{name: Z, valueFrom: {configMapKeyRef: {name: envs, key: X}}}]
      volumes: [{name: v, configMap: {name: conf}}, {name: w, secret: {secretName: sec}}, {name: p, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: v1
kind: Namespace
metadata: {name: foo}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rb}
roleRef: {kind: Role, name: r, apiGroup: rbac.authorization.k8s.io}
subjects: [{kind: ServiceAccount, name: robot}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: in}
spec: {rules: [{http: {paths: [{backend: {service: {name: web, port: {number: 80}}}}]}}]}
"#;

const PRINTED: &str = r#"apiVersion: v1
kind: Namespace
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: team
---
apiVersion: v1
kind: ServiceAccount
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-robot-s
  namespace: team
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-r-s
  namespace: team
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-rb-s
  namespace: team
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: p-r-s
subjects:
- kind: ServiceAccount
  name: p-robot-s
  namespace: team
---
apiVersion: v1
data:
  a: b
  c: d
  f.txt: |
    hello
    world
  other: |
    hello
    world
kind: ConfigMap
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-conf-s-b96g4585g4
  namespace: team
---
apiVersion: v1
data:
  X: "1"
  "Y": "2"
immutable: true
kind: ConfigMap
metadata:
  annotations:
    aa: bb
    note: z
  labels:
    app: x
    q: r
    tier: yy
  name: p-envs-s-992hg2799m
  namespace: team
---
apiVersion: v1
data:
  pw: eA==
kind: Secret
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-sec-s-b287528h4m
  namespace: team
type: Opaque
---
apiVersion: v1
kind: Service
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-web-s
  namespace: team
spec:
  ports:
  - port: 80
  selector:
    app: x
    k: v
  type: NodePort
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-data-s
  namespace: team
---
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-web-s
  namespace: team
spec:
  replicas: 7
  selector:
    matchLabels:
      app: x
      k: v
  template:
    metadata:
      annotations:
        note: z
      labels:
        app: x
        k: v
        tier: yy
    spec:
      containers:
      - env:
        - name: A
          value: b
        - name: Z
          valueFrom:
            configMapKeyRef:
              key: X
              name: p-envs-s-992hg2799m
        envFrom:
        - configMapRef:
            name: p-conf-s-b96g4585g4
        - secretRef:
            name: p-sec-s-b287528h4m
        image: my/nginx:2
        name: c
      initContainers:
      - image: busybox@sha256:abc
        name: i
      serviceAccountName: p-robot-s
      volumes:
      - configMap:
          name: p-conf-s-b96g4585g4
        name: v
      - name: w
        secret:
          secretName: p-sec-s-b287528h4m
      - name: p
        persistentVolumeClaim:
          claimName: p-data-s
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-h-s
  namespace: team
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: p-web-s
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  annotations:
    note: z
  labels:
    app: x
    tier: yy
  name: p-in-s
  namespace: team
spec:
  rules:
  - http:
      paths:
      - backend:
          service:
            name: p-web-s
            port:
              number: 80
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn built(files: &[(&str, &str)], entry: &str) -> Result<String> {
    let folder = folder(files);
    build(&folder.path().join(entry).display().to_string()).map(|documents| to_yaml(&documents))
}

#[test]
fn everything_at_once() {
    let files = [("kustomization.yaml", KUSTOMIZATION), ("all.yaml", OBJECTS), ("f.txt", "hello\nworld\n"), ("f.env", "X=1\n# c\nY=2\n")];
    assert_eq!(built(&files, ".").unwrap(), PRINTED);
}

#[test]
fn what_is_not_supported_is_named() {
    for (kustomization, expected) in [
        ("foo: bar\n", "error: invalid Kustomization: json: unknown field \"foo\""),
        ("resources: [https://example.com/x]\n", "error: mini-ctl does not download: fetch https://example.com/x, which FOLDER asks for"),
        ("vars: []\n", "error: mini-ctl does not support the field \"vars\" of FOLDER/kustomization.yaml"),
        (
            "configMapGenerator: [{name: a, behavior: merge}]\n",
            "error: mini-ctl does not support the behavior \"merge\" of an entry of \"configMapGenerator\" in a kustomization",
        ),
        (
            "images: [{name: a, tagSuffix: b}]\n",
            "error: mini-ctl does not support the field \"tagSuffix\" of an entry of \"images\" in a kustomization",
        ),
        ("resources: [.]\n", "error: kustomizations stand on each other in a circle, or too deep"),
    ] {
        let folder = folder(&[("kustomization.yaml", kustomization)]);
        let path = folder.path().display().to_string();
        let said = build(&path).unwrap_err().to_string().replace(&path, "FOLDER");
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn a_kustomization_stands_on_another() {
    let files = [
        ("base/kustomization.yaml", "resources: [pod.yaml]\nconfigMapGenerator: [{name: conf, literals: [a=b]}]\n"),
        (
            "base/pod.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, envFrom: [{configMapRef: {name: conf}}]}]}\n",
        ),
        (
            "over/kustomization.yaml",
            "resources: [../base]\nnamePrefix: x-\npatches: [{patch: '{kind: Pod, apiVersion: v1, metadata: {name: a}, spec: {hostNetwork: true}}'}]\n",
        ),
    ];
    let text = built(&files, "over").unwrap();
    assert!(text.contains("name: x-conf-4h2mbtbbt6\n---\n"), "{text}");
    assert!(text.contains("    - configMapRef:\n        name: x-conf-4h2mbtbbt6\n    name: c\n  hostNetwork: true\n"), "{text}");
}
