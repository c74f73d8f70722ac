# Making, changing and deleting objects without a manifest, or with one.

$ kubectl create namespace team
namespace/team created

$ kubectl create namespace team
! Error from server (AlreadyExists): namespaces "team" already exists
[exit 1]

$ kubectl create deployment web --image=nginx --replicas=2 --port=80 -n team
deployment.apps/web created

$ kubectl create deployment web --image=nginx -n team
! error: failed to create deployment: deployments.apps "web" already exists
[exit 1]

$ kubectl create configmap conf --from-literal=a=b --from-literal=c=d
configmap/conf created

$ printf 'x=1\ny=2\n' >app.env; kubectl create configmap from-env --from-env-file=app.env
configmap/from-env created

$ kubectl create configmap from-file --from-file=app.env --from-file=other=app.env -o yaml --dry-run=client
apiVersion: v1
data:
  app.env: |
    x=1
    y=2
  other: |
    x=1
    y=2
kind: ConfigMap
metadata:
  creationTimestamp: null
  name: from-file

$ kubectl create secret generic sec --from-literal=pw=x
secret/sec created

$ kubectl create secret tls cert --cert=nope --key=nope
! error: Cannot read file nope, open nope: no such file or directory
[exit 1]

$ kubectl create secret docker-registry reg --docker-server=example.com --docker-username=u --docker-password=p
secret/reg created

$ kubectl create job hello --image=busybox -- date
job.batch/hello created

$ kubectl create cronjob tick --image=busybox --schedule='0 0 1 1 *' -- date
cronjob.batch/tick created
[since 1.32]

$ kubectl create job by-hand --from=cronjob/tick
job.batch/by-hand created
[since 1.32]

$ kubectl create service clusterip cip --tcp=80:80
service/cip created

$ kubectl create service nodeport np --tcp=80
service/np created

$ kubectl create service loadbalancer lb --tcp=80:8080
service/lb created

$ kubectl create service externalname en --external-name=example.com
service/en created

$ kubectl create serviceaccount robot
serviceaccount/robot created

$ kubectl create role reader --verb=get,list --resource=pods,deployments.apps
role.rbac.authorization.k8s.io/reader created

$ kubectl create role broken --verb=get --resource=nopes
! the server doesn't have a resource type "nopes"
[exit 1]

$ kubectl create rolebinding readers --role=reader --user=jane --group=devs --serviceaccount=default:robot
rolebinding.rbac.authorization.k8s.io/readers created

$ kubectl create clusterrole nodes --verb=get --resource=nodes
clusterrole.rbac.authorization.k8s.io/nodes created

$ kubectl create clusterrolebinding nodes --clusterrole=nodes --user=jane
clusterrolebinding.rbac.authorization.k8s.io/nodes created

$ kubectl create quota few --hard=pods=20,configmaps=20
resourcequota/few created

$ kubectl create poddisruptionbudget two --selector=app=web --min-available=2
poddisruptionbudget.policy/two created
[since 1.32]

$ kubectl create ingress front --class=main --rule='example.com/shop*=web:80,tls=cert'
ingress.networking.k8s.io/front created

$ kubectl create priorityclass vip --value=1000 --description='goes first'
priorityclass.scheduling.k8s.io/vip created

$ kubectl create -f - --dry-run=server <<END
> {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}
> END
configmap/made-sdsfj created (server dry run)

$ kubectl create configmap Bad_Name
! error: failed to create configmap: ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
[exit 1]
[since 1.32]

$ kubectl create configmap conf
! error: failed to create configmap: configmaps "conf" already exists
[exit 1]
[since 1.32]

$ kubectl create configmap there -n nowhere
! error: failed to create configmap: namespaces "nowhere" not found
[exit 1]
[since 1.32]

$ kubectl get cm,secrets,sa,svc,jobs,cj,roles,rolebindings,pdb,ing -o name
configmap/conf
configmap/from-env
configmap/kube-root-ca.crt
secret/reg
secret/sec
serviceaccount/default
serviceaccount/robot
service/cip
service/en
service/kubernetes
service/lb
service/np
job.batch/by-hand
job.batch/hello
cronjob.batch/tick
role.rbac.authorization.k8s.io/reader
rolebinding.rbac.authorization.k8s.io/readers
poddisruptionbudget.policy/two
ingress.networking.k8s.io/front
[since 1.32]

$ kubectl set subject rolebinding readers --user=joe
rolebinding.rbac.authorization.k8s.io/readers subjects updated

$ kubectl get rolebinding readers -o jsonpath='{.subjects[*].name}{"\n"}'
jane devs robot joe

# Running a pod.

$ kubectl run solo --image=nginx --port=80 --expose --env=A=b --labels=app=solo,tier=front
service/solo created
pod/solo created

$ kubectl run solo --image=nginx
! Error from server (AlreadyExists): pods "solo" already exists
[exit 1]

$ kubectl wait --for=condition=Ready pod/solo --timeout=30s
pod/solo condition met

$ kubectl run once --image=busybox --restart=Never --dry-run=client -o yaml -- echo hi
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels:
    run: once
  name: once
spec:
  containers:
  - args:
    - echo
    - hi
    image: busybox
    name: once
    resources: {}
  dnsPolicy: ClusterFirst
  restartPolicy: Never
status: {}

$ kubectl set image pod/solo solo=nginx:1.25
pod/solo image updated

$ kubectl get pod solo -o jsonpath='{.spec.containers[0].image} {.spec.containers[0].env}{"\n"}'
nginx:1.25 [{"name":"A","value":"b"}]

# Labels and annotations.

$ kubectl label cm conf tier=front
configmap/conf labeled

$ kubectl label cm conf tier=front
configmap/conf not labeled
[since 1.32]

$ kubectl label cm conf tier=back
! error: 'tier' already has a value (front), and --overwrite is false
[exit 1]

$ kubectl label cm conf tier=back --overwrite
configmap/conf labeled

$ kubectl label cm conf tier-
configmap/conf unlabeled
[since 1.32]

$ kubectl label cm conf tier-
label "tier" not found.
configmap/conf labeled

$ kubectl label cm --all stage=test
configmap/conf labeled
configmap/from-env labeled
configmap/kube-root-ca.crt labeled

$ kubectl label cm conf 'bad key=x'
! The ConfigMap "conf" is invalid: metadata.labels: Invalid value: "bad key": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
[exit 1]

$ kubectl label cm conf --list
stage=test

$ kubectl label cm nope a=b
! Error from server (NotFound): configmaps "nope" not found
[exit 1]

$ kubectl annotate cm conf note=one
configmap/conf annotated

$ kubectl annotate cm conf note=two
! error: --overwrite is false but found the following declared annotation(s): 'note' already has a value (one)
[exit 1]

$ kubectl annotate cm conf note=two --overwrite
configmap/conf annotated

$ kubectl annotate cm conf note=two --overwrite --resource-version=1
! Error from server (Conflict): Operation cannot be fulfilled on configmaps "conf": the object has been modified; please apply your changes to the latest version and try again
[exit 1]

$ kubectl annotate cm conf note-
configmap/conf annotated

$ kubectl annotate cm -l stage=test owner=me --field-selector=metadata.name=conf
configmap/conf annotated

# Patches.

$ kubectl patch cm conf -p '{"data":{"a":"c"}}'
configmap/conf patched

$ kubectl patch cm conf -p '{"data":{"a":"c"}}'
configmap/conf patched (no change)

$ kubectl patch cm conf --type=merge -p '{"data":{"c":null}}'
configmap/conf patched

$ kubectl patch cm conf --type=json -p '[{"op":"test","path":"/data/a","value":"c"},{"op":"add","path":"/data/e","value":"f"}]'
configmap/conf patched

$ kubectl patch cm conf --type=json -p '[{"op":"test","path":"/data/a","value":"x"}]'
! The request is invalid: the server rejected our request due to an error in our request
[exit 1]
[since 1.32]

$ kubectl patch cm conf --type=json -p '[{"op":"remove","path":"/data/x"}]'
! The request is invalid: the server rejected our request due to an error in our request
[exit 1]
[since 1.32]

$ kubectl patch cm conf -p 'data: {g: h}' -o jsonpath='{.data}{"\n"}'
{"a":"c","e":"f","g":"h"}

$ kubectl patch cm conf -p nonsense
! Error from server (BadRequest): json: cannot unmarshal string into Go value of type map[string]interface {}
[exit 1]

$ kubectl patch deploy web -n team -p '{"spec":{"replicas":-1}}'
! The Deployment "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0
[exit 1]

$ kubectl patch deploy web -n team --subresource=scale --type=merge -p '{"spec":{"replicas":1}}'
scale.autoscaling/web patched
[since 1.32]

$ kubectl patch cm nope -p '{}'
! Error from server (NotFound): configmaps "nope" not found
[exit 1]

# Replacing and editing.

$ kubectl get cm conf -o yaml | sed 's/a: c/a: replaced/' >conf.yaml; kubectl replace -f conf.yaml
configmap/conf replaced

$ kubectl replace -f conf.yaml
! Error from server (Conflict): error when replacing "conf.yaml": Operation cannot be fulfilled on configmaps "conf": the object has been modified; please apply your changes to the latest version and try again
[exit 1]

$ sed 's/name: conf/name: nope/; /uid:/d; /resourceVersion:/d' conf.yaml | kubectl replace -f -
! Error from server (NotFound): error when replacing "STDIN": configmaps "nope" not found
[exit 1]

$ sed '/uid:/d; /resourceVersion:/d' conf.yaml >again.yaml; kubectl replace --force -f again.yaml
configmap "conf" deleted
configmap/conf replaced

$ cat >editor <<'END'; chmod +x editor
> #!/bin/sh
> sed -i 's/a: replaced/a: edited/' "$1"
> END

$ KUBE_EDITOR=./editor kubectl edit cm conf
configmap/conf edited

$ KUBE_EDITOR=./editor kubectl edit cm conf
! Edit cancelled, no changes made.

$ kubectl get cm conf -o jsonpath='{.data.a}{"\n"}'
edited

$ KUBE_EDITOR="sed -i s/replicas:.1/replicas:\ 2/" kubectl edit deploy web -n team
deployment.apps/web edited
[since 1.32]

$ KUBE_EDITOR=./editor kubectl edit cm nope
! Error from server (NotFound): configmaps "nope" not found
[exit 1]

# Deleting.

$ kubectl delete cm from-env
configmap "from-env" deleted

$ kubectl delete cm from-env
! Error from server (NotFound): configmaps "from-env" not found
[exit 1]

$ kubectl delete cm from-env --ignore-not-found

$ kubectl delete cm conf from-env
! Error from server (NotFound): configmaps "from-env" not found
configmap "conf" deleted
[exit 1]

$ kubectl delete svc cip np lb en
service "cip" deleted
service "np" deleted
service "lb" deleted
service "en" deleted

$ kubectl delete secret -l nothing=here
No resources found

$ kubectl delete secret --all
secret "reg" deleted
secret "sec" deleted

$ kubectl delete secret
! error: resource(s) were provided, but no name was specified
[exit 1]
[since 1.32]

$ kubectl delete role/reader rolebinding/readers clusterrole/nodes clusterrolebinding/nodes quota/few
role.rbac.authorization.k8s.io "reader" deleted
rolebinding.rbac.authorization.k8s.io "readers" deleted
clusterrole.rbac.authorization.k8s.io "nodes" deleted
clusterrolebinding.rbac.authorization.k8s.io "nodes" deleted
resourcequota "few" deleted

$ kubectl delete cm -l stage=test --dry-run=server
configmap "kube-root-ca.crt" deleted (server dry run)

$ kubectl delete pod solo --grace-period=1
pod "solo" deleted

$ kubectl run gone --image=nginx
pod/gone created

$ kubectl delete pod gone --force
! Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.
pod "gone" force deleted
[since 1.32]

$ kubectl run gone --image=nginx
pod/gone created

$ kubectl delete pod gone --now
pod "gone" deleted

$ kubectl delete pod gone
! Error from server (NotFound): pods "gone" not found
[exit 1]

$ kubectl run kept --image=nginx --overrides='{"metadata":{"finalizers":["example.com/keep"]}}'
pod/kept created

$ kubectl delete pod kept --wait=false
pod "kept" deleted

$ kubectl delete pod kept --timeout=2s
! error: timed out waiting for the condition on pods/kept
pod "kept" deleted
[exit 1]

$ kubectl get pod kept -o jsonpath='{.metadata.deletionTimestamp}{"\n"}'
2026-11-21T06:31:49Z

$ kubectl patch pod kept --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]'
pod/kept patched

$ kubectl wait --for=delete pod/kept --timeout=40s
[since 1.32]

$ kubectl delete -f again.yaml --ignore-not-found

$ kubectl delete job,cronjob --all --cascade=background
job.batch "by-hand" deleted
job.batch "hello" deleted
cronjob.batch "tick" deleted
[since 1.32]

$ kubectl delete ns team
namespace "team" deleted

$ kubectl get ns team
! Error from server (NotFound): namespaces "team" not found
[exit 1]

$ kubectl delete ns default
! Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted
[exit 1]

$ kubectl delete all --all -n kube-public
No resources found
