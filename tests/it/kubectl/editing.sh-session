# Changing what is there: patches, replacements, and an editor.

$ cat >conf.yaml <<END
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: one, labels: {set: x}}
> data: {a: b}
> ---
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: two, labels: {set: x}}
> data: {a: b}
> END

$ kubectl apply -f conf.yaml --dry-run=client -o yaml
apiVersion: v1
items:
- apiVersion: v1
  data:
    a: b
  kind: ConfigMap
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"annotations":{},"labels":{"set":"x"},"name":"one","namespace":"default"}}
    labels:
      set: x
    name: one
    namespace: default
- apiVersion: v1
  data:
    a: b
  kind: ConfigMap
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"annotations":{},"labels":{"set":"x"},"name":"two","namespace":"default"}}
    labels:
      set: x
    name: two
    namespace: default
kind: List
metadata: {}

$ kubectl apply -f conf.yaml -o name
configmap/one
configmap/two

$ kubectl apply -f conf.yaml -l set=y
! error: no objects passed to apply
[exit 1]

$ kubectl apply -f conf.yaml -l set=x --record
! Flag --record has been deprecated, --record will be removed in the future
configmap/one configured
configmap/two configured
[since 1.32]

$ kubectl get cm one -o yaml | grep -A1 '^ *kubernetes.io.change'
    kubernetes.io/change-cause: kubectl apply --filename=conf.yaml --selector=set=x
      --record=true

# Patches.

$ kubectl patch
! error: must specify --patch or --patch-file containing the contents of the patch
[exit 1]

$ kubectl patch cm one
! error: must specify --patch or --patch-file containing the contents of the patch
[exit 1]

$ kubectl patch cm one -p '{}' --patch-file nope
! error: cannot specify --patch and --patch-file together
[exit 1]

$ kubectl patch cm one --patch-file nope
! error: unable to read patch file: open nope: no such file or directory
[exit 1]

$ kubectl patch cm one --type=other -p '{}'
! error: --type must be one of [json merge strategic], not "other"
[exit 1]

$ kubectl patch cm -p '{}'
! error: resource(s) were provided, but no name was specified
[exit 1]
[since 1.32]

$ echo 'data: {c: d}' >patch.yaml; kubectl patch cm one two --patch-file patch.yaml
configmap/one patched
configmap/two patched

$ kubectl patch cm/one cm/two cm/three -p '{"data":{"c":null}}'
! Error from server (NotFound): configmaps "three" not found
configmap/one patched
configmap/two patched
[exit 1]

$ kubectl patch cm one -p '{"data":{"a":"c"}}' --dry-run=client -o yaml | head -4
apiVersion: v1
data:
  a: c
kind: ConfigMap

$ kubectl patch cm one -p '{"data":{"a":"c"}}' --dry-run=server
configmap/one patched

$ kubectl patch -f conf.yaml --type=json -p '[{"op":"add","path":"/data/e","value":"f"}]'
configmap/one patched
configmap/two patched

$ kubectl patch -f conf.yaml --local -p '{"data":{"a":null,"g":"h"}}' -o jsonpath='{.data}'
{"g":"h"}{"g":"h"}
[since 1.32]

$ kubectl patch cm one --local -p '{}'
! error: cannot specify --local and server resources
[exit 1]

$ kubectl patch cm one --subresource=status -p '{}'
! Error from server (NotFound): the server could not find the requested resource
[exit 1]
[since 1.32]

# Replacements.

$ kubectl replace
! error: must specify one of -f and -k
[exit 1]
[since 1.32]

$ kubectl replace -f conf.yaml --grace-period=1
! error: --grace-period must have --force specified
[exit 1]

$ kubectl replace -f conf.yaml --dry-run=client
configmap/one replaced (dry run)
configmap/two replaced (dry run)

$ kubectl replace -f conf.yaml --save-config -o yaml
apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"annotations":{},"labels":{"set":"x"},"name":"one","namespace":"default"}}
  creationTimestamp: "2026-11-30T03:36:39Z"
  labels:
    set: x
  name: one
  namespace: default
  resourceVersion: "1418"
  uid: a553b0da-6b00-42f3-ba36-083152d01ca8
---
apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"annotations":{},"labels":{"set":"x"},"name":"two","namespace":"default"}}
  creationTimestamp: "2026-11-30T03:36:39Z"
  labels:
    set: x
  name: two
  namespace: default
  resourceVersion: "1419"
  uid: 19a2b709-acf0-4633-a1d8-0115b1d15c09
[since 1.32]

$ kubectl replace -f conf.yaml --force --dry-run=server
! error: --dry-run can not be used when --force is set
[exit 1]
[since 1.32]

$ kubectl replace -f conf.yaml --force
configmap "one" deleted
configmap "two" deleted
configmap/one replaced
configmap/two replaced
[since 1.32]

$ sed 's/name: two/name: three/' conf.yaml | kubectl replace -f -
! Error from server (NotFound): error when replacing "STDIN": configmaps "three" not found
configmap/one replaced
[exit 1]

$ sed 's/^data: .*/dataa: {}/' conf.yaml | kubectl replace -f -
! Error from server (BadRequest): error when replacing "STDIN": ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dataa"
! Error from server (BadRequest): error when replacing "STDIN": ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dataa"
[exit 1]
[since 1.32]

$ printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n' | kubectl replace --force -f - 2>&1 | sed 's/".*"/"FILE"/'
error: error when deleting "FILE": resource name may not be empty

$ kubectl get cm -o name
configmap/kube-root-ca.crt
configmap/one
configmap/two

# An editor.

$ cat >editor <<'END'; chmod +x editor
> #!/bin/sh
> # Shows the file, and changes it as $1 says, but only once.
> cat "$2"
> test -e done || sed -i "$1" "$2"
> touch done
> END

$ KUBE_EDITOR="./editor s/a:.b/a:\\ c/" kubectl edit cm one
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  creationTimestamp: "2026-11-30T03:36:50Z"
  labels:
    set: x
  name: one
  namespace: default
  resourceVersion: "1423"
  uid: 914d056b-72f6-4bda-9a52-d5a3accadcaa
configmap/one edited

$ rm done; KUBE_EDITOR="./editor s/^data:/dataa:/" kubectl edit cm one | grep '^# config'
! error: configmaps "one" is invalid
! A copy of your changes has been stored to "/tmp/kubectl-edit-3065951208.yaml"
! error: Edit cancelled, no valid changes were saved.
# configmaps "one" was not valid:
[since 1.32]

$ rm done; KUBE_EDITOR="./editor /^kind:/d" kubectl edit cm one | grep '^#'
! error: configmaps "one" is invalid
! A copy of your changes has been stored to "/tmp/kubectl-edit-3586092249.yaml"
! error: Edit cancelled, no valid changes were saved.
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
# configmaps "one" was not valid:
# * <nil>: Invalid value: "The edited file failed validation": kind not set
#
[since 1.32]

$ rm done; KUBE_EDITOR="./editor d" kubectl edit cm one | grep '^#'
! error: configmaps "one" is invalid
! A copy of your changes has been stored to "/tmp/kubectl-edit-1792401253.yaml"
! error: Edit cancelled, no valid changes were saved.
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
# configmaps "one" was not valid:
# * <nil>: Invalid value: "The edited file failed validation": invalid object to validate
#
[since 1.32]

$ KUBE_EDITOR=cat kubectl edit cm one two
! Edit cancelled, no changes made.
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
apiVersion: v1
items:
- apiVersion: v1
  data:
    a: c
  kind: ConfigMap
  metadata:
    creationTimestamp: "2026-11-30T03:36:50Z"
    labels:
      set: x
    name: one
    namespace: default
    resourceVersion: "1427"
    uid: 914d056b-72f6-4bda-9a52-d5a3accadcaa
- apiVersion: v1
  data:
    a: b
  kind: ConfigMap
  metadata:
    creationTimestamp: "2026-11-30T03:36:50Z"
    labels:
      set: x
    name: two
    namespace: default
    resourceVersion: "1424"
    uid: a69e7f0e-f841-44f5-adf9-1413f0de0ae4
kind: List
metadata: {}

$ KUBE_EDITOR=cat kubectl edit cm one -o json
! Edit cancelled, no changes made.
{
    "apiVersion": "v1",
    "data": {
        "a": "c"
    },
    "kind": "ConfigMap",
    "metadata": {
        "creationTimestamp": "2026-11-30T03:36:50Z",
        "labels": {
            "set": "x"
        },
        "name": "one",
        "namespace": "default",
        "resourceVersion": "1427",
        "uid": "914d056b-72f6-4bda-9a52-d5a3accadcaa"
    }
}

$ KUBE_EDITOR="sed -i s/a:.b/a:\\ e/" kubectl edit cm one two --output-patch
configmap/one skipped
Patch: {"data":{"a":"e"}}
configmap/two edited

$ KUBE_EDITOR="sed -i s/a:.e/a:\\ f/" kubectl edit -f conf.yaml -o yaml
apiVersion: v1
data:
  a: c
kind: ConfigMap
metadata:
  creationTimestamp: "2026-11-30T03:36:50Z"
  labels:
    set: x
  name: one
  namespace: default
  resourceVersion: "1427"
  uid: 914d056b-72f6-4bda-9a52-d5a3accadcaa
apiVersion: v1
data:
  a: f
kind: ConfigMap
metadata:
  creationTimestamp: "2026-11-30T03:36:50Z"
  labels:
    set: x
  name: two
  namespace: default
  resourceVersion: "1434"
  uid: a69e7f0e-f841-44f5-adf9-1413f0de0ae4
[since 1.32]

$ KUBE_EDITOR="sed -i 's/  a: c/  a: g/'" kubectl edit cm one
configmap/one edited

$ KUBE_EDITOR="sed -i s/name:.one/name:\\ other/" kubectl edit cm one
! A copy of your changes has been stored to "/tmp/kubectl-edit-2669847886.yaml"
! error: At least one of apiVersion, kind and name was changed
[exit 1]
[since 1.32]

$ KUBE_EDITOR="sed -i s/a:.g/a:\\ 1/" kubectl edit cm one
! error: configmaps "one" could not be patched: ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string
! You can run `kubectl replace -f /tmp/kubectl-edit-2268890995.yaml` to try this update again.
[exit 1]
[since 1.32]

$ KUBE_EDITOR=false kubectl edit cm one
! error: there was a problem with the editor "false"
[exit 1]

$ KUBE_EDITOR=no-such-editor kubectl edit cm one
! error: unable to launch the editor "no-such-editor"
[exit 1]

$ kubectl edit cm one three
! Error from server (NotFound): configmaps "three" not found
[exit 1]

$ kubectl edit cm one -o name
! error: unable to match a printer suitable for the output format "name", allowed formats are: json,yaml
[exit 1]

$ kubectl edit jobs
! error: edit cancelled, no objects found
[exit 1]

# What was applied.

$ kubectl apply view-last-applied cm one

$ kubectl apply -f conf.yaml
! Warning: resource configmaps/one is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.
! Warning: resource configmaps/two is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.
configmap/one configured
configmap/two configured

$ kubectl apply view-last-applied cm one two -o json
{
  "apiVersion": "v1",
  "data": {
    "a": "b"
  },
  "kind": "ConfigMap",
  "metadata": {
    "annotations": {},
    "labels": {
      "set": "x"
    },
    "name": "one",
    "namespace": "default"
  }
}
{
  "apiVersion": "v1",
  "data": {
    "a": "b"
  },
  "kind": "ConfigMap",
  "metadata": {
    "annotations": {},
    "labels": {
      "set": "x"
    },
    "name": "two",
    "namespace": "default"
  }
}

$ kubectl apply set-last-applied -f conf.yaml
configmap/one configured
configmap/two configured

$ kubectl apply set-last-applied -f conf.yaml
set-last-applied one: no changes required.
set-last-applied two: no changes required.

$ sed 's/set: x/set: z/' conf.yaml | kubectl apply set-last-applied -f - --dry-run=server
configmap/one configured (server dry run)
configmap/two configured (server dry run)

$ KUBE_EDITOR="./editor s/x/y/" kubectl apply edit-last-applied cm one
! Edit cancelled, no changes made.
# Please edit the 'last-applied-configuration' annotations below.
# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.
#
apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  labels:
    set: x
  name: one
  namespace: default

$ rm done; KUBE_EDITOR="./editor s/x/z/" kubectl apply edit-last-applied cm one
# Please edit the 'last-applied-configuration' annotations below.
# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.
#
apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  labels:
    set: x
  name: one
  namespace: default
configmap/one edited

$ kubectl apply view-last-applied cm one | grep set
    set: z

$ kubectl apply edit-last-applied
! error: You must provide one or more resources by argument or filename.
! Example resource specifications include:
!    '-f rsrc.yaml'
!    '--filename=rsrc.json'
!    '<resource> <name>'
!    '<resource>'
[exit 1]

# What would be.

$ kubectl diff
! error: must specify one of -f and -k
[exit 2]
[since 1.32]

$ sed 's/a: b/a: z/' conf.yaml | kubectl diff -f - -l set=x | grep '^[-+] '; echo "${PIPESTATUS[1]}"
-  a: b
+  a: z
-  a: b
+  a: z
1
[since 1.32]

$ KUBECTL_EXTERNAL_DIFF=no-such-diff kubectl diff -f conf.yaml
! error: failed to run "no-such-diff": executable file not found in $PATH
[exit 2]
[since 1.32]

$ sed 1,5d conf.yaml | kubectl diff -f - --prune -l set=x --prune-allowlist=core/v1/ConfigMap | grep '^-kind'
-kind: ConfigMap
[since 1.32]

$ sed 1,5d conf.yaml | kubectl apply -f - --prune --all --prune-allowlist=core/v1/ConfigMap
configmap/two configured
configmap/one pruned
[since 1.32]

# What cannot be changed is made anew, if it must.

$ cat >web.yaml <<END
> apiVersion: apps/v1
> kind: Deployment
> metadata: {name: web}
> spec:
>   replicas: 0
>   selector: {matchLabels: {app: web}}
>   template:
>     metadata: {labels: {app: web}}
>     spec: {containers: [{name: c, image: nginx}]}
> END

$ kubectl apply -f web.yaml
deployment.apps/web created

$ sed -i 's/app: web/app: other/' web.yaml; kubectl apply -f web.yaml --force
deployment.apps/web configured

$ kubectl get deploy web -o yaml | grep -A1 '^ *matchLabels'
    matchLabels:
      app: other

$ kubectl apply -f web.yaml --force --server-side
! error: --force cannot be used with --server-side
[exit 1]

$ kubectl apply -f web.yaml --prune
! error: all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune all resources, specify a label selector
[exit 1]
[since 1.32]

$ KUBE_EDITOR="./editor s/replicas:.0/replicas:\\ -1/" kubectl edit deploy web | head -5
! Edit cancelled, no changes made.
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
apiVersion: apps/v1

$ rm done; KUBE_EDITOR="./editor s/replicas:.0/replicas:\\ -1/" kubectl edit deploy web | grep '^# .*valid'
! error: deployments.apps "web" is invalid
! A copy of your changes has been stored to "/tmp/kubectl-edit-2456074354.yaml"
! error: Edit cancelled, no valid changes were saved.
# deployments.apps "web" was not valid:
# * spec.replicas: Invalid value: -1: must be greater than or equal to 0
[since 1.32]

$ kubectl patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"x"}]}}}}' -o yaml | grep ' name: [cd]$'
        name: d
        name: c

$ kubectl patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"c","$patch":"delete"}]}}}}' --dry-run=client -o yaml | grep ' name: [cd]$'
        name: d
