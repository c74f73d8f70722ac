# Apply: client-side, server-side, from one to the other, and what goes with it.

$ cat >conf.yaml <<END
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: conf, labels: {part: a}}
> data: {mode: fast, level: '3'}
> END

$ kubectl diff -f conf.yaml | sed -E 's/^(diff|---|\+\+\+).*/\1/'
diff
---
+++
@@ -0,0 +1,12 @@
+apiVersion: v1
+data:
+  level: "3"
+  mode: fast
+kind: ConfigMap
+metadata:
+  creationTimestamp: "2026-11-21T06:30:07Z"
+  labels:
+    part: a
+  name: conf
+  namespace: default
+  uid: 70dd0c72-395b-49f9-ae44-6d6818967289
[since 1.32]

$ kubectl apply -f conf.yaml --dry-run=server
configmap/conf created (server dry run)

$ kubectl apply -f conf.yaml
configmap/conf created

$ kubectl apply -f conf.yaml
configmap/conf unchanged

$ kubectl diff -f conf.yaml

$ sed -i 's/fast/slow/; s/, level: .3.//' conf.yaml

$ kubectl diff -f conf.yaml | grep '^[+-] '; echo "${PIPESTATUS[0]}"
-  level: "3"
-  mode: fast
+  mode: slow
1
[since 1.32]

$ kubectl apply -f conf.yaml
configmap/conf configured

$ kubectl get cm conf -o jsonpath='{.data}{"\n"}'
{"mode":"slow"}

$ kubectl apply view-last-applied cm/conf
apiVersion: v1
data:
  mode: slow
kind: ConfigMap
metadata:
  annotations: {}
  labels:
    part: a
  name: conf
  namespace: default

$ kubectl apply -f nope.yaml
! error: the path "nope.yaml" does not exist
[exit 1]

$ echo '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made"}}' >made.json; kubectl create -f made.json
configmap/made created

$ kubectl apply -f made.json
! Warning: resource configmaps/made is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.
configmap/made configured

$ kubectl apply set-last-applied -f made.json
configmap/made configured

$ kubectl apply -f conf.yaml -f made.json
configmap/conf unchanged
configmap/made configured

# Another hand has changed what is applied.

$ kubectl patch cm conf -p '{"data":{"mode":"other"}}'
configmap/conf patched

$ kubectl apply --server-side -f conf.yaml
! error: Apply failed with 1 conflict: conflict with "kubectl-patch" using v1: .data.mode
! Please review the fields above--they currently have other managers. Here
! are the ways you can resolve this warning:
! * If you intend to manage all of these fields, please re-run the apply
!   command with the `--force-conflicts` flag.
! * If you do not intend to manage all of the fields, please edit your
!   manifest to remove references to the fields that should keep their
!   current managers.
! * You may co-own fields by updating your manifest to match the existing
!   value; in this case, you'll become the manager if the other manager(s)
!   stop managing the field (remove it from their configuration).
! See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
[exit 1]
[since 1.32]

$ kubectl apply --server-side -f conf.yaml --force-conflicts
configmap/conf serverside-applied

$ kubectl apply --server-side -f conf.yaml
configmap/conf serverside-applied

$ kubectl get cm conf -o jsonpath='{.data}{"\n"}{range .metadata.managedFields[*]}{.manager}{"\n"}{end}' | sort
kubectl
kubectl-last-applied
{"mode":"slow"}
[since 1.32]

$ sed 's/slow/third/' conf.yaml | kubectl apply --server-side --field-manager=third -f -
! error: Apply failed with 1 conflict: conflict with "kubectl": .data.mode
! Please review the fields above--they currently have other managers. Here
! are the ways you can resolve this warning:
! * If you intend to manage all of these fields, please re-run the apply
!   command with the `--force-conflicts` flag.
! * If you do not intend to manage all of the fields, please edit your
!   manifest to remove references to the fields that should keep their
!   current managers.
! * You may co-own fields by updating your manifest to match the existing
!   value; in this case, you'll become the manager if the other manager(s)
!   stop managing the field (remove it from their configuration).
! See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
[exit 1]
[since 1.32]

$ sed 's/slow/third/' conf.yaml | kubectl apply --server-side --field-manager=third --force-conflicts -f -
configmap/conf serverside-applied

$ kubectl apply --server-side -f conf.yaml --dry-run=server
! error: Apply failed with 1 conflict: conflict with "third": .data.mode
! Please review the fields above--they currently have other managers. Here
! are the ways you can resolve this warning:
! * If you intend to manage all of these fields, please re-run the apply
!   command with the `--force-conflicts` flag.
! * If you do not intend to manage all of the fields, please edit your
!   manifest to remove references to the fields that should keep their
!   current managers.
! * You may co-own fields by updating your manifest to match the existing
!   value; in this case, you'll become the manager if the other manager(s)
!   stop managing the field (remove it from their configuration).
! See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
[exit 1]
[since 1.32]

$ sed 's/slow/third/' conf.yaml | kubectl apply --server-side -f -
configmap/conf serverside-applied

$ kubectl diff --server-side -f conf.yaml | grep '^[+-] '
-  mode: third
+  mode: slow
-      {"apiVersion":"v1","data":{"mode":"third"},"kind":"ConfigMap","metadata":{"labels":{"part":"a"},"name":"conf","namespace":"default"}}
+      {"apiVersion":"v1","data":{"mode":"slow"},"kind":"ConfigMap","metadata":{"labels":{"part":"a"},"name":"conf","namespace":"default"}}
[since 1.32]

$ kubectl apply -f conf.yaml --server-side --force-conflicts -o name
configmap/conf

# Of all that is there, only what is still in the folder stays.

$ mkdir -p folder; for name in one two; do
>   printf "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: $name, labels: {set: x}}\n" >folder/$name.yaml
> done

$ kubectl apply -f folder
configmap/one created
configmap/two created

$ rm folder/two.yaml; kubectl apply -f folder --prune -l set=x --prune-allowlist=core/v1/ConfigMap
configmap/one unchanged
configmap/two pruned
[since 1.32]

$ kubectl get cm -l set=x -o name
configmap/one
[since 1.32]

$ kubectl delete -f folder
configmap "one" deleted

# Mistakes.

$ printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndataa: {}\n' | kubectl apply -f -
! Error from server (BadRequest): error when creating "STDIN": ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dataa"
[exit 1]
[since 1.32]

$ printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndataa: {}\n' | kubectl apply --validate=warn -f -
! Warning: unknown field "dataa"
configmap/x created
[since 1.32]

$ printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndataa: {}\n' | kubectl apply --validate=ignore -f -
configmap/x configured
[since 1.32]

$ printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndataa: {}\n' | kubectl apply --server-side -f -
! Error from server: failed to create typed patch object (default/x; /v1, Kind=ConfigMap): .dataa: field not declared in schema
[exit 1]
[since 1.32]

$ printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {a: "%%"}\n' | kubectl apply -f -
! Error from server (BadRequest): error when creating "STDIN": Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0
[exit 1]

$ printf 'apiVersion: v9\nkind: ConfigMap\nmetadata: {name: x}\n' | kubectl apply -f -
! error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "ConfigMap" in version "v9"
! ensure CRDs are installed first
[exit 1]
[since 1.32]

$ printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n' | kubectl apply -f -
! The Deployment "x" is invalid:
! * spec.selector: Required value
! * spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`
! * spec.template.spec.containers: Required value
[exit 1]
[since 1.32]

$ printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {selector: {matchLabels: {a: b}}, template: {spec: {containers: []}}}\n' | kubectl apply -f -
! The Deployment "x" is invalid:
! * spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`
! * spec.template.spec.containers: Required value
[exit 1]

$ printf 'apiVersion: v1\nkind: ConfigMap\n' | kubectl apply -f -
! error: error when retrieving current configuration of:
! Resource: "/v1, Resource=configmaps", GroupVersionKind: "/v1, Kind=ConfigMap"
! Name: "", Namespace: "default"
! from server for: "STDIN": resource name may not be empty
[exit 1]

# What does not change once made.

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

$ sed 's/app: web/app: other/' web.yaml | kubectl apply -f -
! The Deployment "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable
[exit 1]

$ sed 's/replicas: 0/replicas: 1/' web.yaml | kubectl apply -f - --dry-run=server -o jsonpath='{.spec.replicas}{"\n"}'
1

$ kubectl delete -f web.yaml
deployment.apps "web" deleted

# Kustomize.

$ mkdir -p base over; cat >base/kustomization.yaml <<END
> resources: [conf.yaml]
> END

$ cp conf.yaml base; cat >over/kustomization.yaml <<END
> namePrefix: over-
> resources: [../base]
> configMapGenerator: [{name: made, literals: [a=b], options: {disableNameSuffixHash: true}}]
> commonAnnotations: {note: kustomized}
> END

$ kubectl kustomize over
apiVersion: v1
data:
  mode: slow
kind: ConfigMap
metadata:
  annotations:
    note: kustomized
  labels:
    part: a
  name: over-conf
---
apiVersion: v1
data:
  a: b
kind: ConfigMap
metadata:
  annotations:
    note: kustomized
  name: over-made
[since 1.32]

$ kubectl apply -k over
configmap/over-conf created
configmap/over-made created
[since 1.32]

$ kubectl diff -k over
[since 1.32]

$ kubectl get -k over -o name
configmap/over-conf
configmap/over-made
[since 1.32]

$ kubectl delete -k over
configmap "over-conf" deleted
configmap "over-made" deleted
[since 1.32]
