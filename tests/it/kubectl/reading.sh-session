# Looking at what is there: what the server serves, and every way to get it.

$ kubectl api-versions
admissionregistration.k8s.io/v1
apiextensions.k8s.io/v1
apiregistration.k8s.io/v1
apiregistration.k8s.io/v1beta1
apps/v1
apps/v1beta1
apps/v1beta2
authentication.k8s.io/v1
authorization.k8s.io/v1
autoscaling/v1
autoscaling/v2
batch/v1
batch/v1beta1
batch/v2alpha1
certificates.k8s.io/v1
coordination.k8s.io/v1
discovery.k8s.io/v1
events.k8s.io/v1
extensions/v1beta1
flowcontrol.apiserver.k8s.io/v1
networking.k8s.io/v1
networking.k8s.io/v1beta1
node.k8s.io/v1
node.k8s.io/v1beta1
policy/v1
rbac.authorization.k8s.io/v1
rbac.authorization.k8s.io/v1beta1
scheduling.k8s.io/v1
scheduling.k8s.io/v1beta1
storage.k8s.io/v1
storage.k8s.io/v1beta1
v1

$ kubectl api-resources
NAME                                SHORTNAMES   APIVERSION                        NAMESPACED   KIND
bindings                                         v1                                true         Binding
componentstatuses                   cs           v1                                false        ComponentStatus
configmaps                          cm           v1                                true         ConfigMap
endpoints                           ep           v1                                true         Endpoints
events                              ev           v1                                true         Event
limitranges                         limits       v1                                true         LimitRange
namespaces                          ns           v1                                false        Namespace
nodes                               no           v1                                false        Node
persistentvolumeclaims              pvc          v1                                true         PersistentVolumeClaim
persistentvolumes                   pv           v1                                false        PersistentVolume
pods                                po           v1                                true         Pod
podtemplates                                     v1                                true         PodTemplate
replicationcontrollers              rc           v1                                true         ReplicationController
resourcequotas                      quota        v1                                true         ResourceQuota
secrets                                          v1                                true         Secret
serviceaccounts                     sa           v1                                true         ServiceAccount
services                            svc          v1                                true         Service
mutatingwebhookconfigurations                    admissionregistration.k8s.io/v1   false        MutatingWebhookConfiguration
validatingadmissionpolicies                      admissionregistration.k8s.io/v1   false        ValidatingAdmissionPolicy
validatingadmissionpolicybindings                admissionregistration.k8s.io/v1   false        ValidatingAdmissionPolicyBinding
validatingwebhookconfigurations                  admissionregistration.k8s.io/v1   false        ValidatingWebhookConfiguration
customresourcedefinitions           crd,crds     apiextensions.k8s.io/v1           false        CustomResourceDefinition
apiservices                                      apiregistration.k8s.io/v1         false        APIService
controllerrevisions                              apps/v1                           true         ControllerRevision
daemonsets                          ds           apps/v1                           true         DaemonSet
deployments                         deploy       apps/v1                           true         Deployment
replicasets                         rs           apps/v1                           true         ReplicaSet
statefulsets                        sts          apps/v1                           true         StatefulSet
selfsubjectreviews                               authentication.k8s.io/v1          false        SelfSubjectReview
tokenreviews                                     authentication.k8s.io/v1          false        TokenReview
localsubjectaccessreviews                        authorization.k8s.io/v1           true         LocalSubjectAccessReview
selfsubjectaccessreviews                         authorization.k8s.io/v1           false        SelfSubjectAccessReview
selfsubjectrulesreviews                          authorization.k8s.io/v1           false        SelfSubjectRulesReview
subjectaccessreviews                             authorization.k8s.io/v1           false        SubjectAccessReview
horizontalpodautoscalers            hpa          autoscaling/v2                    true         HorizontalPodAutoscaler
cronjobs                            cj           batch/v1                          true         CronJob
jobs                                             batch/v1                          true         Job
certificatesigningrequests          csr          certificates.k8s.io/v1            false        CertificateSigningRequest
leases                                           coordination.k8s.io/v1            true         Lease
endpointslices                                   discovery.k8s.io/v1               true         EndpointSlice
events                              ev           events.k8s.io/v1                  true         Event
daemonsets                                       extensions/v1beta1                true         DaemonSet
deployments                                      extensions/v1beta1                true         Deployment
ingresses                                        extensions/v1beta1                true         Ingress
networkpolicies                                  extensions/v1beta1                true         NetworkPolicy
replicasets                                      extensions/v1beta1                true         ReplicaSet
flowschemas                                      flowcontrol.apiserver.k8s.io/v1   false        FlowSchema
prioritylevelconfigurations                      flowcontrol.apiserver.k8s.io/v1   false        PriorityLevelConfiguration
ingressclasses                                   networking.k8s.io/v1              false        IngressClass
ingresses                           ing          networking.k8s.io/v1              true         Ingress
ipaddresses                         ip           networking.k8s.io/v1              false        IPAddress
networkpolicies                     netpol       networking.k8s.io/v1              true         NetworkPolicy
servicecidrs                                     networking.k8s.io/v1              false        ServiceCIDR
runtimeclasses                                   node.k8s.io/v1                    false        RuntimeClass
poddisruptionbudgets                pdb          policy/v1                         true         PodDisruptionBudget
clusterrolebindings                              rbac.authorization.k8s.io/v1      false        ClusterRoleBinding
clusterroles                                     rbac.authorization.k8s.io/v1      false        ClusterRole
rolebindings                                     rbac.authorization.k8s.io/v1      true         RoleBinding
roles                                            rbac.authorization.k8s.io/v1      true         Role
priorityclasses                     pc           scheduling.k8s.io/v1              false        PriorityClass
csidrivers                                       storage.k8s.io/v1                 false        CSIDriver
csinodes                                         storage.k8s.io/v1                 false        CSINode
csistoragecapacities                             storage.k8s.io/v1                 true         CSIStorageCapacity
storageclasses                      sc           storage.k8s.io/v1                 false        StorageClass
volumeattachments                                storage.k8s.io/v1                 false        VolumeAttachment
volumeattributesclasses             vac          storage.k8s.io/v1                 false        VolumeAttributesClass

$ kubectl api-resources --api-group=apps -o wide --no-headers | grep -v v1beta
controllerrevisions            apps/v1   true   ControllerRevision   create,delete,deletecollection,get,list,patch,update,watch
daemonsets            ds       apps/v1   true   DaemonSet            create,delete,deletecollection,get,list,patch,update,watch   all
deployments           deploy   apps/v1   true   Deployment           create,delete,deletecollection,get,list,patch,update,watch   all
replicasets           rs       apps/v1   true   ReplicaSet           create,delete,deletecollection,get,list,patch,update,watch   all
statefulsets          sts      apps/v1   true   StatefulSet          create,delete,deletecollection,get,list,patch,update,watch   all
[since 1.32]

$ kubectl api-resources --namespaced=false --verbs=list,get -o name | sort | head -8
apiservices.apiregistration.k8s.io
certificatesigningrequests.certificates.k8s.io
clusterrolebindings.rbac.authorization.k8s.io
clusterroles.rbac.authorization.k8s.io
componentstatuses
csidrivers.storage.k8s.io
csinodes.storage.k8s.io
customresourcedefinitions.apiextensions.k8s.io

$ kubectl api-resources --categories=all -o name | sort
cronjobs.batch
daemonsets.apps
deployments.apps
horizontalpodautoscalers.autoscaling
jobs.batch
pods
replicasets.apps
replicationcontrollers
services
statefulsets.apps
[since 1.32]

$ kubectl explain configmap.immutable
KIND:       ConfigMap
VERSION:    v1

FIELD: immutable <boolean>


DESCRIPTION:
    Immutable, if set to true, ensures that data stored in the ConfigMap cannot
    be updated (only object metadata can be modified). If not set to true, the
    field can be modified at any time. Defaulted to nil.
[since 1.32]

$ kubectl explain rs.status.availableReplicas
GROUP:      apps
KIND:       ReplicaSet
VERSION:    v1

FIELD: availableReplicas <integer>


DESCRIPTION:
    The number of available non-terminating pods (ready for at least
    minReadySeconds) for this replica set.
[since 1.32]

$ kubectl explain hpa.spec --api-version=autoscaling/v1
GROUP:      autoscaling
KIND:       HorizontalPodAutoscaler
VERSION:    v1

FIELD: spec <HorizontalPodAutoscalerSpec>


DESCRIPTION:
    spec defines the behaviour of autoscaler. More info:
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#spec-and-status.
    specification of a horizontal pod autoscaler.

FIELDS:
  maxReplicas	<integer> -required-
    maxReplicas is the upper limit for the number of pods that can be set by the
    autoscaler; cannot be smaller than MinReplicas.

  minReplicas	<integer>
    minReplicas is the lower limit for the number of replicas to which the
    autoscaler can scale down.  It defaults to 1 pod.  minReplicas is allowed to
    be 0 if the alpha feature gate HPAScaleToZero is enabled and at least one
    Object or External metric is configured.  Scaling is active as long as at
    least one metric value is available.

  scaleTargetRef	<CrossVersionObjectReference> -required-
    reference to scaled resource; horizontal pod autoscaler will learn the
    current resource consumption and will set the desired number of pods by
    using its Scale subresource.

  targetCPUUtilizationPercentage	<integer>
    targetCPUUtilizationPercentage is the target average CPU utilization
    (represented as a percentage of requested CPU) over all the pods; if not
    specified the default autoscaling policy will be used.
[since 1.32]

$ kubectl explain role --recursive
GROUP:      rbac.authorization.k8s.io
KIND:       Role
VERSION:    v1

DESCRIPTION:
    Role is a namespaced, logical grouping of PolicyRules that can be referenced
    as a unit by a RoleBinding.

FIELDS:
  apiVersion	<string>
  kind	<string>
  metadata	<ObjectMeta>
    annotations	<map[string]string>
    creationTimestamp	<string>
    deletionGracePeriodSeconds	<integer>
    deletionTimestamp	<string>
    finalizers	<[]string>
    generateName	<string>
    generation	<integer>
    labels	<map[string]string>
    managedFields	<[]ManagedFieldsEntry>
      apiVersion	<string>
      fieldsType	<string>
      fieldsV1	<FieldsV1>
      manager	<string>
      operation	<string>
      subresource	<string>
      time	<string>
    name	<string>
    namespace	<string>
    ownerReferences	<[]OwnerReference>
      apiVersion	<string> -required-
      blockOwnerDeletion	<boolean>
      controller	<boolean>
      kind	<string> -required-
      name	<string> -required-
      uid	<string> -required-
    resourceVersion	<string>
    selfLink	<string>
    uid	<string>
  rules	<[]PolicyRule>
    apiGroups	<[]string>
    nonResourceURLs	<[]string>
    resourceNames	<[]string>
    resources	<[]string>
    verbs	<[]string> -required-
[since 1.32]

$ kubectl explain pod.spec.nope
! error: field "nope" does not exist
KIND:       Pod
VERSION:    v1
[exit 1]
[since 1.32]

$ kubectl explain nope
! the server doesn't have a resource type "nope"
[exit 1]

# Every kind that is served can be explained to the last field.

$ kubectl api-resources --no-headers | awk '{ print $1, $(NF - 2) }' | while read name version; do
>   kubectl explain --recursive --api-version=$version $name >explained 2>&1
>   [ "$(grep -cE '^(KIND|VERSION|DESCRIPTION|FIELDS):' explained) $(grep -cE '^ {2,3}(apiVersion|kind)\b' explained)" = '4 2' ] ||
>     { echo "$name $version"; head -5 explained; }
> done

$ kubectl create configmap settings --from-literal=mode=fast --from-literal=level=3
configmap/settings created

$ kubectl label configmap settings tier=front app=web
configmap/settings labeled

$ kubectl create configmap other --from-literal=mode=slow
configmap/other created

$ kubectl get configmaps
NAME               DATA   AGE
kube-root-ca.crt   1      9s
other              1      0s
settings           2      0s

$ kubectl get cm settings -o name
configmap/settings

$ kubectl get cm settings -o yaml
apiVersion: v1
data:
  level: "3"
  mode: fast
kind: ConfigMap
metadata:
  creationTimestamp: "2026-11-21T06:05:52Z"
  labels:
    app: web
    tier: front
  name: settings
  namespace: default
  resourceVersion: "53"
  uid: 7d14e10d-a2f1-4802-bc18-1f6e843a0cb8
[since 1.32]

$ kubectl get cm settings -o json
{
    "apiVersion": "v1",
    "data": {
        "level": "3",
        "mode": "fast"
    },
    "kind": "ConfigMap",
    "metadata": {
        "creationTimestamp": "2026-11-21T06:05:52Z",
        "labels": {
            "app": "web",
            "tier": "front"
        },
        "name": "settings",
        "namespace": "default",
        "resourceVersion": "53",
        "uid": "7d14e10d-a2f1-4802-bc18-1f6e843a0cb8"
    }
}
[since 1.32]

$ kubectl get cm settings --show-labels
NAME       DATA   AGE   LABELS
settings   2      0s    app=web,tier=front

$ kubectl get cm -L tier,app
NAME               DATA   AGE   TIER    APP
kube-root-ca.crt   1      9s
other              1      0s
settings           2      0s    front   web

$ kubectl get cm -l tier=front --no-headers
settings   2     0s

$ kubectl get cm -l 'tier notin (front),app!=web' -o name
configmap/kube-root-ca.crt
configmap/other

$ kubectl get cm --field-selector metadata.name=other
NAME    DATA   AGE
other   1      0s

$ kubectl get cm --field-selector data.mode=fast
! Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match label selector "", field selector "data.mode=fast": "data.mode" is not a known field selector: only "metadata.name", "metadata.namespace"
[exit 1]

$ kubectl get cm -l 'a b'
! Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match label selector "a b", field selector "": unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt
[exit 1]

$ kubectl get cm settings -o jsonpath='{.data.mode}{"\n"}'
fast

$ kubectl get cm -o jsonpath='{range .items[*]}{.metadata.name}={.data.mode}{"\n"}{end}'
kube-root-ca.crt=
other=slow
settings=fast

$ echo '{.metadata.name}: {.data.level}' >path; kubectl get cm settings -o jsonpath-file=path
settings: 3

$ kubectl get cm settings -o custom-columns=NAME:.metadata.name,MODE:.data.mode,GONE:.data.nope
NAME       MODE   GONE
settings   fast   <none>

$ printf 'NAME MODE\nmetadata.name data.mode\n' >columns; kubectl get cm -o custom-columns-file=columns
NAME               MODE
kube-root-ca.crt   <none>
other              slow
settings           fast

$ kubectl get cm settings -o go-template='{{range $k, $v := .data}}{{$k}} is {{$v}}{{"\n"}}{{end}}'
level is 3
mode is fast

$ kubectl get cm --sort-by=.data.mode
NAME               DATA   AGE
kube-root-ca.crt   1      10s
settings           2      1s
other              1      1s

$ kubectl get cm --chunk-size=1
NAME               DATA   AGE
kube-root-ca.crt   1      10s
other              1      1s
settings           2      1s

$ kubectl get cm settings -o yaml --show-managed-fields
apiVersion: v1
data:
  level: "3"
  mode: fast
kind: ConfigMap
metadata:
  creationTimestamp: "2026-11-21T06:22:53Z"
  labels:
    app: web
    tier: front
  managedFields:
  - apiVersion: v1
    fieldsType: FieldsV1
    fieldsV1:
      f:data:
        .: {}
        f:level: {}
        f:mode: {}
    manager: kubectl-create
    operation: Update
    time: "2026-11-21T06:22:53Z"
  - apiVersion: v1
    fieldsType: FieldsV1
    fieldsV1:
      f:metadata:
        f:labels:
          .: {}
          f:app: {}
          f:tier: {}
    manager: kubectl-label
    operation: Update
    time: "2026-11-21T06:22:53Z"
  name: settings
  namespace: default
  resourceVersion: "59"
  uid: 92c68b54-d665-4be4-b218-520cbe3137e2
[since 1.32]

$ kubectl get cm settings other nope
! Error from server (NotFound): configmaps "nope" not found
NAME       DATA   AGE
settings   2      1s
other      1      1s
[exit 1]

$ kubectl get cm nope --ignore-not-found

$ kubectl get cm,serviceaccounts
NAME                         DATA   AGE
configmap/kube-root-ca.crt   1      10s
configmap/other              1      1s
configmap/settings           2      1s

NAME                     AGE
serviceaccount/default   10s

$ kubectl get cm/settings sa/default
NAME                 DATA   AGE
configmap/settings   2      1s

NAME                     AGE
serviceaccount/default   10s

$ kubectl get all
NAME                 TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE
service/kubernetes   ClusterIP   10.254.0.1   <none>        443/TCP   10s

$ kubectl get ns
NAME              STATUS   AGE
default           Active   10s
kube-node-lease   Active   10s
kube-public       Active   10s
kube-system       Active   10s

$ kubectl get cm -A --field-selector metadata.name=kube-root-ca.crt
NAMESPACE         NAME               DATA   AGE
default           kube-root-ca.crt   1      11s
kube-node-lease   kube-root-ca.crt   1      11s
kube-public       kube-root-ca.crt   1      11s
kube-system       kube-root-ca.crt   1      11s

$ kubectl get pods
! No resources found in default namespace.

$ kubectl get pods -A
! No resources found

$ kubectl get pods -l app=nothing -n kube-system
! No resources found in kube-system namespace.

$ kubectl get nope
! error: the server doesn't have a resource type "nope"
[exit 1]

$ kubectl get deploy nope
! Error from server (NotFound): deployments.apps "nope" not found
[exit 1]

$ kubectl get pod nope -n nosuch
! Error from server (NotFound): namespaces "nosuch" not found
[exit 1]

$ kubectl get --raw '/api/v1/namespaces/default/configmaps?limit=1' | grep -o '"remainingItemCount":[0-9]*'
"remainingItemCount":2

$ kubectl get --raw /readyz
ok

$ kubectl get --raw /nope
! Error from server (NotFound): the server could not find the requested resource
[exit 1]

$ kubectl get nodes
NAME         STATUS   ROLES    AGE   VERSION
k8s-node-1   Ready    <none>   11s   v1.36.0
k8s-node-2   Ready    <none>   11s   v1.36.0
k8s-node-3   Ready    <none>   11s   v1.36.0

$ kubectl get nodes -o wide
NAME         STATUS   ROLES    AGE   VERSION   INTERNAL-IP   EXTERNAL-IP   OS-IMAGE           KERNEL-VERSION   CONTAINER-RUNTIME
k8s-node-1   Ready    <none>   11s   v1.36.0   192.168.0.2   <none>        mini (simulated)   6.12.0-mini      mini://0.1.0
k8s-node-2   Ready    <none>   11s   v1.36.0   192.168.0.3   <none>        mini (simulated)   6.12.0-mini      mini://0.1.0
k8s-node-3   Ready    <none>   11s   v1.36.0   192.168.0.4   <none>        mini (simulated)   6.12.0-mini      mini://0.1.0

$ kubectl get svc kubernetes -o wide
NAME         TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE   SELECTOR
kubernetes   ClusterIP   10.254.0.1   <none>        443/TCP   11s   <none>

$ kubectl get endpointslices --no-headers -o custom-columns=NAME:.metadata.name,TYPE:.addressType,ENDPOINTS:.endpoints[*].addresses
kubernetes   IPv4   [192.168.0.1]

$ kubectl get endpoints kubernetes -o name
! Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
endpoints/kubernetes

$ kubectl get pc
NAME                      VALUE        GLOBAL-DEFAULT   AGE   PREEMPTIONPOLICY
system-cluster-critical   2000000000   false            12s   PreemptLowerPriority
system-node-critical      2000001000   false            12s   PreemptLowerPriority

$ kubectl get leases -n kube-node-lease
NAME         HOLDER       AGE
k8s-node-1   k8s-node-1   12s
k8s-node-2   k8s-node-2   12s
k8s-node-3   k8s-node-3   12s

$ kubectl get node k8s-node-1 -o jsonpath='{.status.nodeInfo.kubeletVersion}{"\n"}'
v1.36.0

# Watching: what is read is what has happened since.

$ {
>   head -2; kubectl label cm settings tier=back --overwrite
>   head -1; kubectl delete cm settings --wait=false
> } < <(kubectl get cm settings -w -L tier 2>/dev/null)
NAME       DATA   AGE   TIER
settings   2      8s    front
configmap/settings labeled
settings   2      8s    back
configmap "settings" deleted

$ kubectl create cm late
configmap/late created

$ kubectl get cm --watch-only --no-headers >seen & while ! [ -s seen ]; do kubectl label cm late at=$RANDOM --overwrite; done >/dev/null; kill $!; head -1 seen
late   0     0s

$ { head -4; kubectl delete cm late; head -1; } < <(kubectl get cm -w --output-watch-events 2>/dev/null)
EVENT      NAME               DATA   AGE
ADDED      kube-root-ca.crt   1      93s
ADDED      late               0      61s
ADDED      other              1      70s
configmap "late" deleted
DELETED    late               0      61s

$ kubectl version | grep Server
Server Version: v1.36.0
[since 1.32]

$ kubectl cluster-info
Kubernetes control plane is running at http://127.0.0.1:46545

To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.
[since 1.32]

$ kubectl config view
apiVersion: v1
clusters:
- cluster:
    server: http://127.0.0.1:46545
  name: mini
contexts:
- context:
    cluster: mini
    namespace: default
    user: admin
  name: mini
current-context: mini
kind: Config
preferences: {}
users:
- name: admin
  user: {}

$ kubectl config get-contexts
CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE
*         mini   mini      admin      default

$ kubectl config current-context
mini
