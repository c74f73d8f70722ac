# Kinds as a person sees them: in tables and described.

$ cat >some.yaml <<END
> ---
> {apiVersion: v1, kind: Namespace, metadata: {name: small}}
> ---
> {apiVersion: v1, kind: ResourceQuota, metadata: {name: quota, namespace: small}, spec: {hard: {pods: '5', requests.cpu: '2'}}}
> ---
> {apiVersion: v1, kind: LimitRange, metadata: {name: limits, namespace: small}, spec: {limits: [{type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 100m}}]}}
> ---
> {apiVersion: v1, kind: ConfigMap, metadata: {name: conf}, data: {a: b, c: d}}
> ---
> {apiVersion: v1, kind: Secret, metadata: {name: sec}, stringData: {pw: x}}
> ---
> {apiVersion: v1, kind: PersistentVolume, metadata: {name: disk}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /d}}}
> ---
> {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: claim}, spec: {storageClassName: slow, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
> ---
> {apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: slow}, provisioner: example.com/p}
> ---
> {apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: main}, spec: {controller: example.com/c}}
> ---
> apiVersion: networking.k8s.io/v1
> kind: Ingress
> metadata: {name: front}
> spec: {ingressClassName: main, rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
> ---
> {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np}, spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}}
> ---
> {apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader}, rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}
> ---
> {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: readers}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}, subjects: [{kind: ServiceAccount, name: default}]}
> ---
> {apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: lock}, spec: {holderIdentity: me}}
> ---
> {apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: vip}, value: 10}
> ---
> {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: two}, spec: {minAvailable: 1, selector: {matchLabels: {a: dep}}}}
> ---
> {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: slice}, addressType: IPv4, endpoints: [{addresses: [10.1.2.3]}], ports: [{port: 80}]}
> ---
> {apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: ExternalName, externalName: a.b.c}}
> ---
> {apiVersion: v1, kind: Service, metadata: {name: headless}, spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}}
> ---
> {apiVersion: v1, kind: Service, metadata: {name: balanced}, spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}}
> ---
> apiVersion: batch/v1
> kind: CronJob
> metadata: {name: tick}
> spec:
>   schedule: 0 0 1 1 *
>   jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: hello, image: busybox, command: [date]}]}}}}
> ---
> apiVersion: autoscaling/v2
> kind: HorizontalPodAutoscaler
> metadata: {name: scaler}
> spec:
>   {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nope}, maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}
> END

$ kubectl apply -f some.yaml
namespace/small created
resourcequota/quota created
limitrange/limits created
configmap/conf created
secret/sec created
persistentvolume/disk created
persistentvolumeclaim/claim created
storageclass.storage.k8s.io/slow created
ingressclass.networking.k8s.io/main created
ingress.networking.k8s.io/front created
networkpolicy.networking.k8s.io/np created
role.rbac.authorization.k8s.io/reader created
rolebinding.rbac.authorization.k8s.io/readers created
lease.coordination.k8s.io/lock created
priorityclass.scheduling.k8s.io/vip created
poddisruptionbudget.policy/two created
endpointslice.discovery.k8s.io/slice created
service/outside created
service/headless created
service/balanced created
cronjob.batch/tick created
horizontalpodautoscaler.autoscaling/scaler created

$ kubectl describe ns default
Name:         default
Labels:       kubernetes.io/metadata.name=default
Annotations:  <none>
Status:       Active

No resource quota.

No LimitRange resource.

$ kubectl describe configmap conf
Name:         conf
Namespace:    default
Labels:       <none>
Annotations:  <none>

Data
====
a:
----
b

c:
----
d


BinaryData
====

Events:  <none>
[since 1.32]

$ kubectl describe secret sec
Name:         sec
Namespace:    default
Labels:       <none>
Annotations:  <none>

Type:  Opaque

Data
====
pw:  1 bytes

$ kubectl describe sa default
Name:                default
Namespace:           default
Labels:              <none>
Annotations:         <none>
Image pull secrets:  <none>
Mountable secrets:   <none>
Tokens:              <none>
Events:              <none>

$ kubectl get limits -n small
NAME     CREATED AT
limits   2026-11-21T06:42:38Z

$ kubectl describe limits -n small
Name:       limits
Namespace:  small
Type        Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio
----        --------  ---  ---  ---------------  -------------  -----------------------
Container   cpu       -    -    100m             500m           -

$ kubectl get pvc
NAME    STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   VOLUMEATTRIBUTESCLASS   AGE
claim   Pending                                      slow           <unset>                 1s

$ kubectl describe sc slow
Name:            slow
IsDefaultClass:  No
Annotations:     kubectl.kubernetes.io/last-applied-configuration={"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"annotations":{},"name":"slow"},"provisioner":"example.com/p"}

Provisioner:           example.com/p
Parameters:            <none>
AllowVolumeExpansion:  <unset>
MountOptions:          <none>
ReclaimPolicy:         Delete
VolumeBindingMode:     Immediate
Events:                <none>

$ kubectl get ing,ingressclass
NAME                              CLASS   HOSTS           ADDRESS   PORTS   AGE
ingress.networking.k8s.io/front   main    a.example.com             80      3s

NAME                                  CONTROLLER      PARAMETERS   AGE
ingressclass.networking.k8s.io/main   example.com/c   <none>       3s

$ kubectl describe ing front
Name:             front
Labels:           <none>
Namespace:        default
Address:
Ingress Class:    main
Default backend:  <default>
Rules:
  Host           Path  Backends
  ----           ----  --------
  a.example.com
                 /   web:80 (<error: services "web" not found>)
Annotations:     <none>
Events:          <none>
[since 1.32]

$ kubectl describe netpol np
Name:         np
Namespace:    default
Created on:   2026-11-21 06:42:38 +0000 UTC
Labels:       <none>
Annotations:  <none>
Spec:
  PodSelector:     <none> (Allowing the specific traffic to all pods in this namespace)
  Allowing ingress traffic:
    To Port: 80/TCP
    From: <any> (traffic not restricted by source)
  Not affecting egress traffic
  Policy Types: Ingress

$ kubectl get role,rolebinding
NAME                                    CREATED AT
role.rbac.authorization.k8s.io/reader   2026-11-21T06:42:38Z

NAME                                            ROLE          AGE
rolebinding.rbac.authorization.k8s.io/readers   Role/reader   3s

$ kubectl describe role reader
Name:         reader
Labels:       <none>
Annotations:  <none>
PolicyRule:
  Resources  Non-Resource URLs  Resource Names  Verbs
  ---------  -----------------  --------------  -----
  pods       []                 []              [get]

$ kubectl describe rolebinding readers
Name:         readers
Labels:       <none>
Annotations:  <none>
Role:
  Kind:  Role
  Name:  reader
Subjects:
  Kind            Name     Namespace
  ----            ----     ---------
  ServiceAccount  default

$ kubectl get rolebinding readers -o wide
NAME      ROLE          AGE   USERS   GROUPS   SERVICEACCOUNTS
readers   Role/reader   4s                     /default

$ kubectl get lease lock
NAME   HOLDER   AGE
lock   me       5s

$ kubectl get pc vip
NAME   VALUE   GLOBAL-DEFAULT   AGE   PREEMPTIONPOLICY
vip    10      false            5s    PreemptLowerPriority

$ kubectl get sc
NAME   PROVISIONER     RECLAIMPOLICY   VOLUMEBINDINGMODE   ALLOWVOLUMEEXPANSION   AGE
slow   example.com/p   Delete          Immediate           false                  5s

$ kubectl get pdb
NAME   MIN AVAILABLE   MAX UNAVAILABLE   ALLOWED DISRUPTIONS   AGE
two    1               N/A               0                     5s

$ kubectl get endpointslices slice
NAME    ADDRESSTYPE   PORTS   ENDPOINTS   AGE
slice   IPv4          80      10.1.2.3    6s

$ kubectl get svc outside headless balanced
NAME       TYPE           CLUSTER-IP     EXTERNAL-IP   PORT(S)        AGE
outside    ExternalName   <none>         a.b.c         <none>         7s
headless   ClusterIP      None           <none>        80/TCP         7s
balanced   LoadBalancer   10.254.85.77   203.0.113.1   80:31450/TCP   7s
[eventually]

$ kubectl describe svc headless
Name:                     headless
Namespace:                default
Labels:                   <none>
Annotations:              <none>
Selector:                 app=web
Type:                     ClusterIP
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       None
IPs:                      None
Port:                     <unset>  80/TCP
TargetPort:               80/TCP
Endpoints:
Session Affinity:         None
Internal Traffic Policy:  Cluster
Events:                   <none>
[since 1.32]

$ kubectl get cronjob
NAME   SCHEDULE    TIMEZONE   SUSPEND   ACTIVE   LAST SCHEDULE   AGE
tick   0 0 1 1 *   <none>     False     0        <none>          7s

$ kubectl describe cronjob tick
Name:                          tick
Namespace:                     default
Labels:                        <none>
Annotations:                   <none>
Schedule:                      0 0 1 1 *
Concurrency Policy:            Allow
Suspend:                       False
Successful Job History Limit:  3
Failed Job History Limit:      1
Starting Deadline Seconds:     <unset>
Selector:                      <unset>
Parallelism:                   <unset>
Completions:                   <unset>
Pod Template:
  Labels:  <none>
  Containers:
   hello:
    Image:      busybox
    Port:       <none>
    Host Port:  <none>
    Command:
      date
    Environment:     <none>
    Mounts:          <none>
  Volumes:           <none>
  Node-Selectors:    <none>
  Tolerations:       <none>
Last Schedule Time:  <unset>
Active Jobs:         <none>
Events:              <none>
[since 1.32]

$ kubectl get hpa scaler
NAME     REFERENCE         TARGETS              MINPODS   MAXPODS   REPLICAS   AGE
scaler   Deployment/nope   cpu: <unknown>/80%   1         3         0          8s

$ kubectl describe svc outside
Name:              outside
Namespace:         default
Labels:            <none>
Annotations:       <none>
Selector:          <none>
Type:              ExternalName
IP Families:       <none>
IP:
IPs:               <none>
External Name:     a.b.c
Session Affinity:  None
Events:            <none>
[since 1.32]

$ kubectl describe cm nope
! Error from server (NotFound): configmaps "nope" not found
[exit 1]

$ kubectl describe nope
! error: the server doesn't have a resource type "nope"
[exit 1]

$ kubectl describe pods
! No resources found in default namespace.

$ kubectl describe pc vip
Name:              vip
Value:             10
GlobalDefault:     false
PreemptionPolicy:  PreemptLowerPriority
Description:
Annotations:       kubectl.kubernetes.io/last-applied-configuration={"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"annotations":{},"name":"vip"},"value":10}

Events:  <none>
[since 1.32]

$ kubectl describe ingressclass main
Name:         main
Labels:       <none>
Annotations:  <none>
Controller:   example.com/c
Events:       <none>

$ kubectl describe lease lock
Name:         lock
Namespace:    default
Labels:       <none>
Annotations:  <none>
API Version:  coordination.k8s.io/v1
Kind:         Lease
Metadata:
  Creation Timestamp:  2026-11-21T06:42:38Z
  Resource Version:    67
  UID:                 9e2b3620-8d91-4562-93d6-6d80d31c0c0a
Spec:
  Holder Identity:  me
Events:             <none>
[since 1.32]

$ kubectl describe svc kubernetes | sed -E 's/:[0-9]{5}$/:port/; s/ [0-9]{5}\// port\//'
Name:                     kubernetes
Namespace:                default
Labels:                   component=apiserver
                          provider=kubernetes
Annotations:              <none>
Selector:                 <none>
Type:                     ClusterIP
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.254.0.1
IPs:                      10.254.0.1
Port:                     https  443/TCP
TargetPort:               port/TCP
Endpoints:                192.168.0.1:port
Session Affinity:         None
Internal Traffic Policy:  Cluster
Events:                   <none>
[since 1.32]

$ kubectl delete -f some.yaml --ignore-not-found | wc -l
22
