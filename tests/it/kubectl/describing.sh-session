# Kinds as a person sees them: in tables and described.

$ cat >some.yaml <<END
> ---
> {apiVersion: v1, kind: Namespace, metadata: {name: small}}
> ---
> {apiVersion: v1, kind: ResourceQuota, metadata: {name: quota, namespace: small}, spec: {hard: {pods: '5', requests.cpu: '2'}}}
> ---
> {apiVersion: v1, kind: LimitRange, metadata: {name: limits, namespace: small}, spec: {limits: [{type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 100m}}]}}
> ---
> {apiVersion: v1, kind: ConfigMap, metadata: {name: conf}, data: {a: b}}
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

# The same in full: everything that a page can show.

$ cat >rich.yaml <<END
> ---
> apiVersion: v1
> kind: Pod
> metadata: {name: waits, labels: {a: "3", b: "1"}, annotations: {note: "two\nlines\n", short: x}}
> spec:
>   schedulerName: nobody
>   priorityClassName: vip
>   nodeSelector: {disk: ssd}
>   securityContext: {seccompProfile: {type: Localhost, localhostProfile: profiles/a.json}}
>   readinessGates: [{conditionType: example.com/gate}]
>   tolerations: [{key: z, operator: Equal, value: v, effect: NoSchedule}, {key: a, operator: Exists}, {operator: Exists, effect: NoExecute}]
>   topologySpreadConstraints:
>   - {topologyKey: zone, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {b: "1"}, matchExpressions: [{key: c, operator: DoesNotExist}, {key: a, operator: In, values: [w, v]}]}}
>   - {topologyKey: host, maxSkew: 2, whenUnsatisfiable: DoNotSchedule}
>   initContainers:
>   - {name: first, image: busybox, command: [sh, -c, "echo a\necho b"], args: [z]}
>   containers:
>   - name: main
>     image: nginx
>     ports: [{containerPort: 80}, {containerPort: 443, hostPort: 8443, name: tls}]
>     securityContext: {seccompProfile: {type: RuntimeDefault}}
>     resources: {limits: {cpu: 1500m, memory: 0.5Gi}, requests: {cpu: 0.25, memory: 128Mi}}
>     livenessProbe: {httpGet: {path: "/healthz?a=b c", port: 80, host: example.com, scheme: HTTPS}, initialDelaySeconds: 3, periodSeconds: 5}
>     readinessProbe: {tcpSocket: {port: tls}}
>     startupProbe: {grpc: {port: 9000, service: abc}}
>     envFrom: [{configMapRef: {name: conf}}, {secretRef: {name: sec, optional: true}, prefix: P_}]
>     env:
>     - {name: PLAIN, value: "one\ntwo"}
>     - {name: EMPTY}
>     - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
>     - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
>     - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
>     - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
>     - {name: KEY, valueFrom: {secretKeyRef: {name: sec, key: pw}}}
>     - {name: CONF, valueFrom: {configMapKeyRef: {name: conf, key: a, optional: true}}}
>     volumeMounts: [{name: empty, mountPath: /z}, {name: map, mountPath: /a, subPath: "x y", readOnly: true}]
>     volumeDevices: [{name: claimed, devicePath: /dev/b}]
>   - name: other
>     image: busybox
>     livenessProbe: {exec: {command: [cat, /tmp/healthy]}}
>     env: [{name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]
>   volumes:
>   - {name: empty, emptyDir: {medium: Memory, sizeLimit: 1.5Gi}}
>   - {name: map, configMap: {name: conf, optional: true}}
>   - {name: kept, secret: {secretName: sec}}
>   - {name: host, hostPath: {path: /tmp, type: Directory}}
>   - {name: claimed, persistentVolumeClaim: {claimName: claim, readOnly: true}}
>   - {name: down, downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}, {path: c, resourceFieldRef: {containerName: main, resource: limits.cpu}}]}}
>   - {name: all, projected: {sources: [{secret: {name: sec}}, {configMap: {name: conf}}, {serviceAccountToken: {path: token}}]}}
>   - {name: mine, ephemeral: {volumeClaimTemplate: {metadata: {labels: {a: b, c: d}}, spec: {storageClassName: slow, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}
>   - {name: share, nfs: {server: s, path: /p}}
>   - {name: disk, iscsi: {targetPortal: "10.0.2.15:3260", iqn: "iqn.2001-04.com.example:storage", lun: 0, portals: [a, b], secretRef: {name: x}}}
>   - {name: driver, csi: {driver: d.example.com, volumeAttributes: {a: b, c: d}}}
>   - {name: fibre, fc: {targetWWNs: [a, b], lun: 2}}
>   - {name: flex, flexVolume: {driver: a/b, options: {z: "1", a: "2"}}}
>   - {name: picture, image: {reference: "r/x:1", pullPolicy: Always}}
> ---
> {apiVersion: v1, kind: Pod, metadata: {name: huge}, spec: {containers: [{name: c, image: nginx, resources: {requests: {cpu: 500}}}]}}
> ---
> {apiVersion: v1, kind: Pod, metadata: {name: fails}, spec: {restartPolicy: Never, nodeName: k8s-node-1, containers: [{name: c, image: busybox, command: [sh, -c, exit 3]}]}}
> ---
> {apiVersion: v1, kind: Pod, metadata: {name: runs}, spec: {nodeName: k8s-node-1, containers: [{name: c, image: nginx, resources: {requests: {cpu: 250m}, limits: {memory: 1Gi}}}]}}
> ---
> apiVersion: apps/v1
> kind: Deployment
> metadata: {name: web, labels: {app: web}}
> spec:
>   replicas: 2
>   minReadySeconds: 1
>   strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 50%}}
>   selector: {matchLabels: {app: web}}
>   template:
>     metadata: {labels: {app: web}, annotations: {k: v}}
>     spec:
>       schedulerName: nobody
>       serviceAccountName: robot
>       priorityClassName: vip
>       nodeSelector: {disk: ssd}
>       tolerations: [{key: a, operator: Exists}]
>       initContainers: [{name: i, image: busybox}]
>       containers: [{name: c, image: nginx, env: [{name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}], volumeMounts: [{name: e, mountPath: /e}]}]
>       volumes: [{name: e, emptyDir: {}}]
> ---
> {apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}, secrets: [{name: sec}, {name: gone}], imagePullSecrets: [{name: pull}]}
> ---
> {apiVersion: v1, kind: ReplicationController, metadata: {name: rc}, spec: {replicas: 0, selector: {app: rc, app-x: v}, template: {metadata: {labels: {app: rc, app-x: v}}, spec: {containers: [{name: c, image: nginx}]}}}}
> ---
> apiVersion: apps/v1
> kind: StatefulSet
> metadata: {name: db}
> spec:
>   serviceName: db
>   replicas: 0
>   updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}
>   selector: {matchLabels: {app: db}}
>   template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: nginx}]}}
>   volumeClaimTemplates: [{metadata: {name: data, labels: {a: b}}, spec: {storageClassName: slow, accessModes: [ReadWriteOnce, ReadOnlyMany], resources: {requests: {storage: 1.5Gi}}}}]
> ---
> {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent}, spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {nodeSelector: {disk: ssd}, containers: [{name: c, image: nginx}]}}}}
> ---
> apiVersion: batch/v1
> kind: Job
> metadata: {name: parts}
> spec: {suspend: true, completionMode: Indexed, completions: 3, parallelism: 2, ttlSecondsAfterFinished: 900, activeDeadlineSeconds: 500, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}
> ---
> {apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [date]}]}}}}
> ---
> apiVersion: v1
> kind: PersistentVolume
> metadata: {name: local}
> spec:
>   {storageClassName: fast, volumeMode: Block, capacity: {storage: 1.5Gi}, accessModes: [ReadWriteMany, ReadWriteOnce], local: {path: /d}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [a, b]}, {key: x, operator: Exists}]}]}}}
> ---
> apiVersion: storage.k8s.io/v1
> kind: StorageClass
> metadata: {name: fast}
> provisioner: example.com/p
> parameters: {b: c, a: d}
> allowVolumeExpansion: true
> mountOptions: [x, v]
> volumeBindingMode: WaitForFirstConsumer
> allowedTopologies: [{matchLabelExpressions: [{key: zone, values: [a, b]}]}]
> ---
> {apiVersion: v1, kind: ResourceQuota, metadata: {name: scoped, namespace: small}, spec: {hard: {pods: '5'}, scopes: [NotTerminating, BestEffort]}}
> ---
> {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: most}, spec: {maxUnavailable: 50%}}
> ---
> apiVersion: autoscaling/v2
> kind: HorizontalPodAutoscaler
> metadata: {name: full}
> spec:
>   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: nope}
>   maxReplicas: 3
>   behavior: {scaleUp: {stabilizationWindowSeconds: 10, policies: [{type: Pods, value: 4, periodSeconds: 60}]}, scaleDown: {selectPolicy: Disabled}}
>   metrics:
>   - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 100Mi}}}
>   - {type: ContainerResource, containerResource: {name: cpu, container: c, target: {type: Utilization, averageUtilization: 80}}}
>   - {type: Pods, pods: {metric: {name: requests}, target: {type: AverageValue, averageValue: 1k}}}
>   - {type: Object, object: {metric: {name: hits}, describedObject: {apiVersion: v1, kind: Service, name: web}, target: {type: Value, value: 10k}}}
>   - {type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: 30}}}
> ---
> apiVersion: networking.k8s.io/v1
> kind: Ingress
> metadata: {name: paths}
> spec:
>   tls: [{hosts: [a.example.com, b.example.com], secretName: sec}]
>   defaultBackend: {service: {name: headless, port: {number: 80}}}
>   rules:
>   - {host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: fixed, port: {name: http}}}}, {path: /b, pathType: Exact, backend: {resource: {apiGroup: example.com, kind: Bucket, name: b}}}]}}
> ---
> apiVersion: networking.k8s.io/v1
> kind: NetworkPolicy
> metadata: {name: both}
> spec:
>   podSelector: {matchLabels: {a: b}}
>   policyTypes: [Ingress, Egress]
>   ingress:
>   - {ports: [{port: 1000, endPort: 2000}, {port: web, protocol: UDP}], from: [{namespaceSelector: {}, podSelector: {matchLabels: {x: v}}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}
>   - {}
> ---
> {apiVersion: v1, kind: Service, metadata: {name: fixed}, spec: {type: NodePort, externalIPs: [192.0.2.7], ports: [{name: http, port: 80}, {name: alt, port: 81, targetPort: web}]}}
> ---
> {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: fixed, labels: {kubernetes.io/service-name: fixed}}, addressType: IPv4, endpoints: [{addresses: [10.1.2.3], hostname: h, zone: z}, {addresses: [10.1.2.4], conditions: {ready: false}}, {addresses: [10.1.2.5]}, {addresses: [10.1.2.6]}, {addresses: [10.1.2.7]}], ports: [{name: http, port: 8080}]}
> ---
> apiVersion: rbac.authorization.k8s.io/v1
> kind: ClusterRole
> metadata: {name: mixed}
> rules:
> - {apiGroups: [''], resources: [pods, pods/log], verbs: [get, list]}
> - {apiGroups: [''], resources: [pods], verbs: [watch, get]}
> - {apiGroups: [apps], resources: [deployments/scale], verbs: ['*']}
> - {apiGroups: [''], resources: [secrets], resourceNames: [a, b], verbs: [get]}
> - {nonResourceURLs: [/healthz], verbs: [get]}
> ---
> {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: mixed}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mixed}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}]}
> ---
> {apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: rev}, data: {spec: {list: [1, x, {c: true, d: 1.5}], url: u, "x.b": z}}, revision: 1}
> ---
> {apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: k8s-node-9}, spec: {drivers: [{name: d.example.com, nodeID: x, allocatable: {count: 3}, topologyKeys: [a, b]}]}}
> ---
> {apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: va}, spec: {attacher: x, nodeName: k8s-node-1, source: {persistentVolumeName: local}}}
> ---
> apiVersion: certificates.k8s.io/v1
> kind: CertificateSigningRequest
> metadata: {name: jane, labels: {a: b}}
> spec: {signerName: kubernetes.io/kube-apiserver-client, expirationSeconds: 86400, usages: [client auth], request: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQllEQ0NBUklDQVFBd2dZTXhDekFKQmdOVkJBWVRBa1JGTVF3d0NnWURWUVFLREFOa1pYWXhEREFLQmdOVgpCQW9NQTI5d2N6RUtNQWdHQTFVRUN3d0JZVEVOTUFzR0ExVUVBd3dFYW1GdVpURUtNQWdHQTFVRUJ3d0JlREVLCk1BZ0dBMVVFQ0F3QmVURUtNQWdHQTFVRUNRd0JlakVNTUFvR0ExVUVFUXdETVRJek1Rc3dDUVlEVlFRRkV3STMKTnpBcU1BVUdBeXRsY0FNaEFINkY0Z1JXeDFMZ1ZOUy81Q29Gb3U0QUFCeDBkVWxpWDErbVAzOGJ6aDFwb0ZzdwpXUVlKS29aSWh2Y05BUWtPTVV3d1NqQklCZ05WSFJFRVFUQS9nZzFoTG1WNFlXMXdiR1V1WTI5dGdnRmlod1FLCkFBQUJoeEFnQVEyNEFBQUFBQUFBQUFBQUFBQUJnUVZoUUdJdVk0WU1jM0JwWm1abE9pOHZlQzk1TUFVR0F5dGwKY0FOQkFMYVZ6NmZobDc5cFNrdlZrdmRaVUl6bVc5aFFZSUNPeTYxYWY5cFV5bDJFYWJhcnl3dkdiOG5hbkFCVgpRQ0lUa3FmRDByR2d5ekpDOVlVWnhyU1pJQVE9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=}
> END

$ kubectl apply -f rich.yaml | wc -l
26

$ kubectl describe pod waits --show-events=false
Name:                 waits
Namespace:            default
Priority:             10
Priority Class Name:  vip
Service Account:      default
Node:                 <none>
Labels:               a=3
                      b=1
Annotations:          note:
                        two
                        lines
                      short: x
Status:               Pending
SeccompProfile:       Localhost
LocalhostProfile:     profiles/a.json
IP:
IPs:                  <none>
Init Containers:
  first:
    Image:      busybox
    Port:       <none>
    Host Port:  <none>
    Command:
      sh
      -c
      echo a
      echo b
    Args:
      z
    Environment:  <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-sbp5p (ro)
Containers:
  main:
    Image:           nginx
    Ports:           80/TCP, 443/TCP
    Host Ports:      0/TCP, 8443/TCP
    SeccompProfile:  RuntimeDefault
    Limits:
      cpu:     1500m
      memory:  512Mi
    Requests:
      cpu:      250m
      memory:   128Mi
    Liveness:   http-get https://example.com:80/healthz%3Fa=b%20c delay=3s timeout=1s period=5s #success=1 #failure=3
    Readiness:  tcp-socket :tls delay=0s timeout=1s period=10s #success=1 #failure=3
    Startup:    grpc <pod>:9000 abc delay=0s timeout=1s period=10s #success=1 #failure=3
    Environment Variables from:
      conf  ConfigMap                Optional: false
      sec   Secret with prefix 'P_'  Optional: true
    Environment:
      PLAIN:    one
                two
      EMPTY:
      NAME:     waits (v1:metadata.name)
      ADDRESS:   (v1:status.podIP)
      CPU:      2 (limits.cpu)
      MEMORY:   512 (limits.memory)
      KEY:      <set to the key 'pw' in secret 'sec'>      Optional: false
      CONF:     <set to the key 'a' of config map 'conf'>  Optional: true
    Mounts:
      /a from map (ro,path="x y")
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-sbp5p (ro)
      /z from empty (rw)
    Devices:
      /dev/b from claimed
  other:
    Image:      busybox
    Port:       <none>
    Host Port:  <none>
    Liveness:   exec [cat /tmp/healthy] delay=0s timeout=1s period=10s #success=1 #failure=3
    Environment:
      CPU:  node allocatable (limits.cpu)
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-sbp5p (ro)
Readiness Gates:
  Type               Status
  example.com/gate   <none>
Volumes:
  empty:
    Type:       EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:     Memory
    SizeLimit:  1536Mi
  map:
    Type:      ConfigMap (a volume populated by a ConfigMap)
    Name:      conf
    Optional:  true
  kept:
    Type:        Secret (a volume populated by a Secret)
    SecretName:  sec
    Optional:    false
  host:
    Type:          HostPath (bare host directory volume)
    Path:          /tmp
    HostPathType:  Directory
  claimed:
    Type:       PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)
    ClaimName:  claim
    ReadOnly:   true
  down:
    Type:  DownwardAPI (a volume populated by information about the pod)
    Items:
      metadata.labels -> l
      limits.cpu -> c
  all:
    Type:                    Projected (a volume that contains injected data from multiple sources)
    SecretName:              sec
    SecretOptionalName:      <nil>
    ConfigMapName:           conf
    ConfigMapOptional:       <nil>
    TokenExpirationSeconds:  3600
  mine:
    Type:          EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)
    StorageClass:  slow
    Volume:
    Labels:            a=b
                       c=d
    Annotations:       <none>
    Capacity:
    Access Modes:
    VolumeMode:    Filesystem
  share:
    Type:      NFS (an NFS mount that lasts the lifetime of a pod)
    Server:    s
    Path:      /p
    ReadOnly:  false
  disk:
    Type:               ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)
    TargetPortal:       10.0.2.15:3260
    IQN:                iqn.2001-04.com.example:storage
    Lun:                0
    ISCSIInterface      default
    FSType:
    ReadOnly:           false
    Portals:            [a b]
    DiscoveryCHAPAuth:  false
    SessionCHAPAuth:    false
    SecretRef:          &LocalObjectReference{Name:x,}
    InitiatorName:      <none>
  driver:
    Type:              CSI (a Container Storage Interface (CSI) volume source)
    Driver:            d.example.com
    FSType:
    ReadOnly:          false
    VolumeAttributes:      a=b
                           c=d
  fibre:
    Type:        FC (a Fibre Channel disk)
    TargetWWNs:  a, b
    LUN:         2
    FSType:
    ReadOnly:    false
  flex:
    Type:       FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)
    Driver:     a/b
    FSType:
    SecretRef:  nil
    ReadOnly:   false
    Options:    map[a:2 z:1]
  picture:
    Type:        Image (a container image or OCI artifact)
    Reference:   r/x:1
    PullPolicy:  Always
  kube-api-access-sbp5p:
    Type:                     Projected (a volume that contains injected data from multiple sources)
    TokenExpirationSeconds:   3607
    ConfigMapName:            kube-root-ca.crt
    ConfigMapOptional:        <nil>
    DownwardAPI:              true
QoS Class:                    Burstable
Node-Selectors:               disk=ssd
Tolerations:                  :NoExecute op=Exists
                              a op=Exists
                              z=v:NoSchedule
Topology Spread Constraints:  host:DoNotSchedule when max skew 2 is exceeded
                              zone:ScheduleAnyway when max skew 1 is exceeded for selector a in (v,w),b=1,!c
[since 1.32]

$ kubectl describe pod huge | sed '1,/^Events/d'
  Type     Reason            Age   From               Message
  ----     ------            ----  ----               -------
  Warning  FailedScheduling  4s    default-scheduler  0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
[eventually]
[since 1.32]

$ kubectl describe pod fails --show-events=false
Name:             fails
Namespace:        default
Priority:         0
Service Account:  default
Node:             k8s-node-1/192.168.0.2
Start Time:       Mon, 30 Nov 2026 03:41:15 +0000
Labels:           <none>
Annotations:      <none>
Status:           Failed
IP:               10.244.1.2
IPs:
  IP:  10.244.1.2
Containers:
  c:
    Container ID:  mini://41aac02e2576630fefea75b520f76fc3f7d9d8646fe5bd4e2d8822f045f07d7a
    Image:         busybox
    Image ID:      docker.io/library/busybox@sha256:f8fd6e2c830cec1c5dca5e7af9459aa3e30db1698dee0272ff27aaf2fa6cb409
    Port:          <none>
    Host Port:     <none>
    Command:
      sh
      -c
      exit 3
    State:          Terminated
      Reason:       Error
      Exit Code:    3
      Started:      Mon, 30 Nov 2026 03:41:16 +0000
      Finished:     Mon, 30 Nov 2026 03:41:16 +0000
    Ready:          False
    Restart Count:  0
    Environment:    <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-wtfts (ro)
Conditions:
  Type                        Status
  PodReadyToStartContainers   False
  Initialized                 True
  Ready                       False
  ContainersReady             False
  PodScheduled                True
Volumes:
  kube-api-access-wtfts:
    Type:                    Projected (a volume that contains injected data from multiple sources)
    TokenExpirationSeconds:  3607
    ConfigMapName:           kube-root-ca.crt
    ConfigMapOptional:       <nil>
    DownwardAPI:             true
QoS Class:                   BestEffort
Node-Selectors:              <none>
Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                             node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
[eventually]
[since 1.32]

$ kubectl describe pod runs --show-events=false | sed -n '/^Status/,/^Volumes/p'
Status:           Running
IP:               10.244.1.3
IPs:
  IP:  10.244.1.3
Containers:
  c:
    Container ID:   mini://16d833642f94e48995064b2a08d8cb75d71c4f85ea064aad9215d1a4eef7e171
    Image:          nginx
    Image ID:       docker.io/library/nginx@sha256:77389e12f6280bf265439b322bf1856952a2fa03709c22746e5934fd6c0db863
    Port:           <none>
    Host Port:      <none>
    State:          Running
      Started:      Mon, 30 Nov 2026 03:41:16 +0000
    Ready:          True
    Restart Count:  0
    Limits:
      memory:  1Gi
    Requests:
      cpu:        250m
      memory:     1Gi
    Environment:  <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-gm2x9 (ro)
Conditions:
  Type                        Status
  PodReadyToStartContainers   True
  Initialized                 True
  Ready                       True
  ContainersReady             True
  PodScheduled                True
Volumes:
[eventually]
[since 1.32]

$ kubectl debug runs --profile=general --image=busybox -c helper -- sleep 1000
[since 1.32]

$ kubectl describe pod runs --show-events=false | sed -n '/^Ephemeral/,/^Conditions/p'
Ephemeral Containers:
  helper:
    Container ID:  mini://cef94700ac1a2e2d144b62191770ee52b198741f440509234819e0ef304974ae
    Image:         busybox
    Image ID:      docker.io/library/busybox@sha256:f8fd6e2c830cec1c5dca5e7af9459aa3e30db1698dee0272ff27aaf2fa6cb409
    Port:          <none>
    Host Port:     <none>
    Command:
      sleep
      1000
    State:          Running
      Started:      Mon, 30 Nov 2026 03:41:32 +0000
    Ready:          False
    Restart Count:  0
    Environment:    <none>
    Mounts:         <none>
Conditions:
[eventually]
[since 1.32]

$ kubectl describe pod runs | grep -c Successfully
2
[eventually]
[since 1.32]

$ kubectl describe deployment web --show-events=false
Name:                   web
Namespace:              default
CreationTimestamp:      Mon, 30 Nov 2026 03:41:16 +0000
Labels:                 app=web
Annotations:            deployment.kubernetes.io/revision: 1
Selector:               app=web
Replicas:               2 desired | 2 updated | 2 total | 0 available | 2 unavailable
StrategyType:           RollingUpdate
MinReadySeconds:        1
RollingUpdateStrategy:  50% max unavailable, 1 max surge
Pod Template:
  Labels:           app=web
  Annotations:      k: v
  Service Account:  robot
  Init Containers:
   i:
    Image:        busybox
    Port:         <none>
    Host Port:    <none>
    Environment:  <none>
    Mounts:       <none>
  Containers:
   c:
    Image:      nginx
    Port:       <none>
    Host Port:  <none>
    Environment:
      NAME:   (v1:metadata.name)
    Mounts:
      /e from e (rw)
  Volumes:
   e:
    Type:               EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:
    SizeLimit:          <unset>
  Priority Class Name:  vip
  Node-Selectors:       disk=ssd
  Tolerations:          a op=Exists
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Available      False   MinimumReplicasUnavailable
  Progressing    True    ReplicaSetUpdated
OldReplicaSets:  <none>
NewReplicaSet:   web-d488fbcf (2/2 replicas created)
[eventually]
[since 1.32]

$ kubectl describe deployment web | tail -3
  Type    Reason             Age   From                   Message
  ----    ------             ----  ----                   -------
  Normal  ScalingReplicaSet  30s   deployment-controller  Scaled up replica set web-d488fbcf from 0 to 2
[eventually]
[since 1.32]

$ kubectl describe rs --show-events=false | head -16
Name:           web-d488fbcf
Namespace:      default
Selector:       app=web,pod-template-hash=d488fbcf
Labels:         app=web
                pod-template-hash=d488fbcf
Annotations:    deployment.kubernetes.io/desired-replicas: 2
                deployment.kubernetes.io/max-replicas: 3
                deployment.kubernetes.io/revision: 1
Controlled By:  Deployment/web
Replicas:       2 current / 2 desired
Pods Status:    0 Running / 2 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:           app=web
                    pod-template-hash=d488fbcf
  Annotations:      k: v
  Service Account:  robot
[eventually]
[since 1.32]

$ kubectl describe rc rc
Name:         rc
Namespace:    default
Selector:     app-x=v,app=rc
Labels:       app=rc
              app-x=v
Annotations:  <none>
Replicas:     0 current / 0 desired
Pods Status:  0 Running / 0 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:  app=rc
           app-x=v
  Containers:
   c:
    Image:         nginx
    Port:          <none>
    Host Port:     <none>
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Events:            <none>
[since 1.32]

$ kubectl describe sts db
Name:               db
Namespace:          default
CreationTimestamp:  Mon, 30 Nov 2026 03:41:16 +0000
Selector:           app=db
Labels:             <none>
Annotations:        <none>
Replicas:           0 desired | 0 total
Update Strategy:    RollingUpdate
  Partition:        1
Pods Status:        0 Running / 0 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:  app=db
  Containers:
   c:
    Image:         nginx
    Port:          <none>
    Host Port:     <none>
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Volume Claims:
  Name:          data
  StorageClass:  slow
  Labels:        a=b
  Annotations:   <none>
  Capacity:      1536Mi
  Access Modes:  [ReadWriteOnce ReadOnlyMany]
Events:          <none>
[eventually]
[since 1.32]

$ kubectl describe ds agent
Name:           agent
Selector:       app=agent
Node-Selector:  disk=ssd
Labels:         <none>
Annotations:    deprecated.daemonset.template.generation: 1
Desired Number of Nodes Scheduled: 0
Current Number of Nodes Scheduled: 0
Number of Nodes Scheduled with Up-to-date Pods: 0
Number of Nodes Scheduled with Available Pods: 0
Number of Nodes Misscheduled: 0
Pods Status:  0 Running / 0 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:  app=agent
  Containers:
   c:
    Image:         nginx
    Port:          <none>
    Host Port:     <none>
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  disk=ssd
  Tolerations:     <none>
Events:            <none>
[eventually]
[since 1.32]

$ kubectl describe job parts
Name:                        parts
Namespace:                   default
Selector:                    batch.kubernetes.io/controller-uid=39567639-4421-4d66-b476-401e8a7ab8f5
Labels:                      batch.kubernetes.io/controller-uid=39567639-4421-4d66-b476-401e8a7ab8f5
                             batch.kubernetes.io/job-name=parts
                             controller-uid=39567639-4421-4d66-b476-401e8a7ab8f5
                             job-name=parts
Annotations:                 <none>
Parallelism:                 2
Completions:                 3
Completion Mode:             Indexed
Suspend:                     true
Backoff Limit:               6
TTL Seconds After Finished:  900
Active Deadline Seconds:     500s
Pods Statuses:               0 Active (0 Ready) / 0 Succeeded / 0 Failed
Completed Indexes:           <none>
Pod Template:
  Labels:  batch.kubernetes.io/controller-uid=39567639-4421-4d66-b476-401e8a7ab8f5
           batch.kubernetes.io/job-name=parts
           controller-uid=39567639-4421-4d66-b476-401e8a7ab8f5
           job-name=parts
  Containers:
   c:
    Image:         busybox
    Port:          <none>
    Host Port:     <none>
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Events:
  Type    Reason     Age   From            Message
  ----    ------     ----  ----            -------
  Normal  Suspended  49s   job-controller  Job suspended
[eventually]
[since 1.32]

$ kubectl describe job once
Name:             once
Namespace:        default
Selector:         batch.kubernetes.io/controller-uid=f1d27e81-31e4-4a86-8b21-c2d3c5df4ab1
Labels:           batch.kubernetes.io/controller-uid=f1d27e81-31e4-4a86-8b21-c2d3c5df4ab1
                  batch.kubernetes.io/job-name=once
                  controller-uid=f1d27e81-31e4-4a86-8b21-c2d3c5df4ab1
                  job-name=once
Annotations:      <none>
Parallelism:      1
Completions:      1
Completion Mode:  NonIndexed
Suspend:          false
Backoff Limit:    6
Start Time:       Mon, 30 Nov 2026 03:41:17 +0000
Completed At:     Mon, 30 Nov 2026 03:41:18 +0000
Duration:         1s
Pods Statuses:    0 Active (0 Ready) / 1 Succeeded / 0 Failed
Pod Template:
  Labels:  batch.kubernetes.io/controller-uid=f1d27e81-31e4-4a86-8b21-c2d3c5df4ab1
           batch.kubernetes.io/job-name=once
           controller-uid=f1d27e81-31e4-4a86-8b21-c2d3c5df4ab1
           job-name=once
  Containers:
   c:
    Image:      busybox
    Port:       <none>
    Host Port:  <none>
    Command:
      date
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Events:
  Type    Reason            Age   From            Message
  ----    ------            ----  ----            -------
  Normal  SuccessfulCreate  56s   job-controller  Created pod: once-8swq9
  Normal  Completed         55s   job-controller  Job completed
[eventually]
[since 1.32]

$ kubectl describe pv local
Name:              local
Labels:            <none>
Annotations:       <none>
Finalizers:        [kubernetes.io/pv-protection]
StorageClass:      fast
Status:            Available
Claim:
Reclaim Policy:    Retain
Access Modes:      RWO,RWX
VolumeMode:        Block
Capacity:          1536Mi
Node Affinity:
  Required Terms:
    Term 0:        kubernetes.io/hostname in [a, b]
                   x exists
Message:
Source:
    Type:  LocalVolume (a persistent volume backed by local storage on a node)
    Path:  /d
Events:    <none>
[eventually]
[since 1.32]

$ kubectl describe pvc claim --show-events=false
Name:          claim
Namespace:     default
StorageClass:  slow
Status:        Pending
Volume:
Labels:        <none>
Annotations:   volume.beta.kubernetes.io/storage-provisioner: example.com/p
               volume.kubernetes.io/storage-provisioner: example.com/p
Finalizers:    [kubernetes.io/pvc-protection]
Capacity:
Access Modes:
VolumeMode:    Filesystem
Used By:       waits
[eventually]
[since 1.32]

$ kubectl describe sc fast | grep -v -e ^Annotations -e '^$'
Name:            fast
IsDefaultClass:  No
Provisioner:           example.com/p
Parameters:            a=d,b=c
AllowVolumeExpansion:  True
MountOptions:
  x
  v
ReclaimPolicy:      Delete
VolumeBindingMode:  WaitForFirstConsumer
AllowedTopologies:
  Term 0:           zone in [a, b]
Events:             <none>
[since 1.32]

$ kubectl describe sa robot
Name:                robot
Namespace:           default
Labels:              <none>
Annotations:         <none>
Image pull secrets:  pull (not found)
Mountable secrets:   sec
                     gone (not found)
Tokens:              <none>
Events:              <none>
[since 1.32]

$ kubectl describe quota scoped -n small
Name:       scoped
Namespace:  small
Scopes:     BestEffort, NotTerminating
 * Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.
 * Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.
Resource  Used  Hard
--------  ----  ----
pods      0     5
[eventually]
[since 1.32]

$ kubectl describe ns small
Name:         small
Labels:       kubernetes.io/metadata.name=small
Annotations:  <none>
Status:       Active

Resource Quotas
  Name:         quota
  Resource      Used  Hard
  --------      ---   ---
  pods          0     5
  requests.cpu  0     2
  Name:         scoped
  Scopes:       BestEffort, NotTerminating
  * Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.
  * Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.
  Resource  Used  Hard
  --------  ---   ---
  pods      0     5

Resource Limits
 Type       Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio
 ----       --------  ---  ---  ---------------  -------------  -----------------------
 Container  cpu       -    -    100m             500m           -
[eventually]
[since 1.32]

$ kubectl describe pdb most two --show-events=false
Name:             most
Namespace:        default
Max unavailable:  50%
Selector:         <unset>
Status:
    Allowed disruptions:  0
    Current:              0
    Desired:              0
    Total:                0


Name:           two
Namespace:      default
Min available:  1
Selector:       a=dep
Status:
    Allowed disruptions:  0
    Current:              0
    Desired:              1
    Total:                0
[eventually]
[since 1.32]

$ kubectl describe hpa full --show-events=false
Name:                                                                   full
Namespace:                                                              default
Labels:                                                                 <none>
Annotations:                                                            <none>
CreationTimestamp:                                                      Mon, 30 Nov 2026 03:41:17 +0000
Reference:                                                              Deployment/nope
Metrics:                                                                ( current / target )
  resource memory on pods:                                              <unknown> / 100Mi
  resource cpu of container "c" on pods  (as a percentage of request):  <unknown> / 80%
  "requests" on pods:                                                   <unknown> / 1k
  "hits" on Service/web (target value):                                 <unknown> / 10k
  "queue" (target average value):                                       <unknown> / 30
Min replicas:                                                           1
Max replicas:                                                           3
Behavior:
  Scale Up:
    Stabilization Window: 10 seconds
    Select Policy: Max
    Policies:
      - Type: Pods  Value: 4  Period: 60 seconds
  Scale Down:
    Select Policy: Disabled
    Policies:
      - Type: Percent  Value: 100  Period: 15 seconds
Deployment pods:       0 current / 0 desired
Conditions:
  Type         Status  Reason          Message
  ----         ------  ------          -------
  AbleToScale  False   FailedGetScale  the HPA controller was unable to get the target's current scale: deployments.apps "nope" not found
[eventually]
[since 1.32]

$ kubectl describe svc fixed
Name:                     fixed
Namespace:                default
Labels:                   <none>
Annotations:              <none>
Selector:                 <none>
Type:                     NodePort
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.254.58.137
IPs:                      10.254.58.137
External IPs:             192.0.2.7
Port:                     http  80/TCP
TargetPort:               80/TCP
NodePort:                 http  32351/TCP
Endpoints:                10.1.2.3:8080,10.1.2.5:8080,10.1.2.6:8080 + 1 more...
Port:                     alt  81/TCP
TargetPort:               web/TCP
NodePort:                 alt  32599/TCP
Endpoints:
Session Affinity:         None
External Traffic Policy:  Cluster
Internal Traffic Policy:  Cluster
Events:                   <none>
[since 1.32]

$ kubectl describe endpointslice fixed
Name:         fixed
Namespace:    default
Labels:       kubernetes.io/service-name=fixed
Annotations:  <none>
AddressType:  IPv4
Ports:
  Name  Port  Protocol
  ----  ----  --------
  http  8080  TCP
Endpoints:
  - Addresses:  10.1.2.3
    Conditions:
      Ready:    <unset>
    Hostname:   h
    NodeName:   <unset>
    Zone:       z
  - Addresses:  10.1.2.4
    Conditions:
      Ready:    false
    Hostname:   <unset>
    NodeName:   <unset>
    Zone:       <unset>
  - Addresses:  10.1.2.5
    Conditions:
      Ready:    <unset>
    Hostname:   <unset>
    NodeName:   <unset>
    Zone:       <unset>
  - Addresses:  10.1.2.6
    Conditions:
      Ready:    <unset>
    Hostname:   <unset>
    NodeName:   <unset>
    Zone:       <unset>
  - Addresses:  10.1.2.7
    Conditions:
      Ready:   <unset>
    Hostname:  <unset>
    NodeName:  <unset>
    Zone:      <unset>
Events:        <none>
[since 1.32]

$ kubectl describe ing paths --show-events=false
Name:             paths
Labels:           <none>
Namespace:        default
Address:          203.0.113.254
Ingress Class:    <none>
Default backend:  headless:80 ()
TLS:
  sec terminates a.example.com,b.example.com
Rules:
  Host           Path  Backends
  ----           ----  --------
  a.example.com
                 /    fixed:http (10.1.2.3:8080,10.1.2.5:8080,10.1.2.6:8080 + 1 more...)
                 /b   APIGroup: example.com, Kind: Bucket, Name: b
Annotations:     <none>
[eventually]
[since 1.32]

$ kubectl describe netpol both
Name:         both
Namespace:    default
Created on:   2026-11-30 03:41:17 +0000 UTC
Labels:       <none>
Annotations:  <none>
Spec:
  PodSelector:     a=b
  Allowing ingress traffic:
    To Port Range: 1000-2000/TCP
    To Port: web/UDP
    From:
      NamespaceSelector: <none>
      PodSelector: x=v
    From:
      IPBlock:
        CIDR: 10.0.0.0/8
        Except: 10.1.0.0/16
    ----------
    To Port: <any> (traffic allowed to all ports)
    From: <any> (traffic not restricted by source)
  Allowing egress traffic:
    <none> (Selected pods are isolated for egress connectivity)
  Policy Types: Ingress, Egress
[since 1.32]

$ kubectl describe clusterrole mixed
Name:         mixed
Labels:       <none>
Annotations:  <none>
PolicyRule:
  Resources               Non-Resource URLs  Resource Names  Verbs
  ---------               -----------------  --------------  -----
  deployments.apps/scale  []                 []              [*]
  pods                    []                 []              [get list watch]
  pods/log                []                 []              [get list]
                          [/healthz]         []              [get]
  secrets                 []                 [a]             [get]
  secrets                 []                 [b]             [get]
[since 1.32]

$ kubectl describe clusterrolebinding mixed
Name:         mixed
Labels:       <none>
Annotations:  <none>
Role:
  Kind:  ClusterRole
  Name:  mixed
Subjects:
  Kind  Name  Namespace
  ----  ----  ---------
  User  jane
[since 1.32]

$ kubectl describe controllerrevision rev
Name:         rev
Namespace:    default
Labels:       <none>
Annotations:  <none>
API Version:  apps/v1
Data:
  Spec:
    List:
      1
      x
      C:  true
      D:  1.5
    URL:  u
    x.b:  z
Kind:     ControllerRevision
Metadata:
  Creation Timestamp:  2026-11-30T03:41:18Z
  Resource Version:    209
  UID:                 095fab51-93be-40bc-b008-0c0cc095183e
Revision:              1
Events:                <none>
[since 1.32]

$ kubectl describe csinode k8s-node-9
Name:               k8s-node-9
Labels:             <none>
Annotations:        <none>
CreationTimestamp:  Mon, 30 Nov 2026 03:41:18 +0000
Spec:
  Drivers:
    d.example.com:
      Node ID:  x
      Allocatables:
        Count:        3
      Topology Keys:  [a b]
Events:               <none>
[since 1.32]

$ kubectl describe volumeattachment va
Name:         va
Namespace:
Labels:       <none>
Annotations:  <none>
API Version:  storage.k8s.io/v1
Kind:         VolumeAttachment
Metadata:
  Creation Timestamp:  2026-11-30T03:41:18Z
  Resource Version:    211
  UID:                 6af08bb8-25ed-4387-a6aa-89e20816090e
Spec:
  Attacher:   x
  Node Name:  k8s-node-1
  Source:
    Persistent Volume Name:  local
Status:
  Attached:  false
Events:      <none>
[since 1.32]

$ kubectl describe csr jane | grep -v -e ^Annotations -e '^$'
Name:         jane
Labels:       a=b
CreationTimestamp:   Mon, 30 Nov 2026 03:41:18 +0000
Requesting User:     system:anonymous
Signer:              kubernetes.io/kube-apiserver-client
Requested Duration:  24h
Status:              Pending
Subject:
  Common Name:          jane
  Serial Number:        77
  Organization:         dev
                        ops
  Organizational Unit:  a
  Country:              DE
  Locality:             x
  Province:             y
  StreetAddress:        z
  PostalCode:           123
Subject Alternative Names:
         DNS Names:        a.example.com
                           b
         Email Addresses:  a@b.c
         URIs:             spiffe://x/y
         IP Addresses:     10.0.0.1
                           2001:db8::1
Events:  <none>
[since 1.32]

$ kubectl describe node k8s-node-1 --show-events=false
Name:               k8s-node-1
Roles:              <none>
Labels:             beta.kubernetes.io/arch=amd64
                    beta.kubernetes.io/os=linux
                    kubernetes.io/arch=amd64
                    kubernetes.io/hostname=k8s-node-1
                    kubernetes.io/os=linux
Annotations:        mini.dev/kubelet-address: 127.0.0.1:39663
                    node.alpha.kubernetes.io/ttl: 0
                    volumes.kubernetes.io/controller-managed-attach-detach: true
CreationTimestamp:  Mon, 30 Nov 2026 03:40:49 +0000
Taints:             <none>
Unschedulable:      false
Lease:
  HolderIdentity:  k8s-node-1
  AcquireTime:     <unset>
  RenewTime:       Mon, 30 Nov 2026 03:42:29 +0000
Conditions:
  Type             Status  LastHeartbeatTime                 LastTransitionTime                Reason                       Message
  ----             ------  -----------------                 ------------------                ------                       -------
  MemoryPressure   False   Mon, 30 Nov 2026 03:40:48 +0000   Mon, 30 Nov 2026 03:40:48 +0000   KubeletHasSufficientMemory   kubelet has sufficient memory available
  DiskPressure     False   Mon, 30 Nov 2026 03:40:48 +0000   Mon, 30 Nov 2026 03:40:48 +0000   KubeletHasNoDiskPressure     kubelet has no disk pressure
  PIDPressure      False   Mon, 30 Nov 2026 03:40:48 +0000   Mon, 30 Nov 2026 03:40:48 +0000   KubeletHasSufficientPID      kubelet has sufficient PID available
  Ready            True    Mon, 30 Nov 2026 03:40:48 +0000   Mon, 30 Nov 2026 03:40:48 +0000   KubeletReady                 kubelet is posting ready status
Addresses:
  InternalIP:  192.168.0.2
  Hostname:    k8s-node-1
Capacity:
  cpu:                8
  ephemeral-storage:  100Gi
  hugepages-1Gi:      0
  hugepages-2Mi:      0
  memory:             16Gi
  pods:               110
Allocatable:
  cpu:                8
  ephemeral-storage:  100Gi
  hugepages-1Gi:      0
  hugepages-2Mi:      0
  memory:             16Gi
  pods:               110
System Info:
  Machine ID:                 b4035d7809e2b2a9b63de8c7f5a6be6e
  System UUID:                b4035d78-09e2-b2a9-b63d-e8c7f5a6be6e
  Boot ID:                    4e21f615-be91-492e-ae2c-bd17b428d132
  Kernel Version:             6.12.0-mini
  OS Image:                   mini (simulated)
  Operating System:           linux
  Architecture:               amd64
  Container Runtime Version:  mini://0.1.0
  Kubelet Version:            v1.36.0
  Kube-Proxy Version:
PodCIDR:                      10.244.1.0/24
PodCIDRs:                     10.244.1.0/24
Non-terminated Pods:          (1 in total)
  Namespace                   Name    CPU Requests  CPU Limits  Memory Requests  Memory Limits  Age
  ---------                   ----    ------------  ----------  ---------------  -------------  ---
  default                     runs    250m (3%)     0 (0%)      1Gi (6%)         1Gi (6%)       76s
Allocated resources:
  (Total limits may be over 100 percent, i.e., overcommitted.)
  Resource           Requests   Limits
  --------           --------   ------
  cpu                250m (3%)  0 (0%)
  memory             1Gi (6%)   1Gi (6%)
  ephemeral-storage  0 (0%)     0 (0%)
  hugepages-1Gi      0 (0%)     0 (0%)
  hugepages-2Mi      0 (0%)     0 (0%)
[eventually]
[since 1.32]

# Which objects are meant: the beginning of a name, several, a label, a file, and what is wrong with others.

$ kubectl describe cm con
Name:         conf
Namespace:    default
Labels:       <none>
Annotations:  <none>

Data
====
a:
----
b


BinaryData
====

Events:  <none>
[since 1.32]

$ kubectl describe cm/conf sa/robot --show-events=false
Name:         conf
Namespace:    default
Labels:       <none>
Annotations:  <none>

Data
====
a:
----
b


BinaryData
====



Name:                robot
Namespace:           default
Labels:              <none>
Annotations:         <none>
Image pull secrets:  pull (not found)
Mountable secrets:   sec
                     gone (not found)
Tokens:              <none>
[since 1.32]

$ kubectl describe cm,sa conf
! error: you may only specify a single resource type
[exit 1]
[since 1.32]

$ kubectl describe cm/conf cm/nope
! Error from server (NotFound): configmaps "nope" not found
[exit 1]
[since 1.32]

$ kubectl describe cm nope conf --show-events=false | head -1
! Error from server (NotFound): configmaps "nope" not found
Name:         conf
[since 1.32]

$ kubectl describe cm/con
! Error from server (NotFound): configmaps "con" not found
[exit 1]
[since 1.32]

$ kubectl describe pods -l app=web --show-events=false | grep -c ^Name:
2
[since 1.32]

$ kubectl describe sa -A --show-events=false | grep -c ^Name:
6
[since 1.32]

$ kubectl describe sa robot -A
! error: a resource cannot be retrieved by name across all namespaces
[exit 1]
[since 1.32]

$ kubectl describe sa robot -l a=b
! error: name cannot be provided when a selector is specified
[exit 1]
[since 1.32]

$ kubectl describe -f rich.yaml -l a=b --show-events=false | sed -n '/^Name:/p'
Name:         jane
[since 1.32]

$ kubectl describe
! error: You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of supported resources.
[exit 1]
[since 1.32]

$ kubectl describe cm/conf/x
! error: arguments in resource/name form may not have more than one slash
[exit 1]
[since 1.32]

$ kubectl describe cm -n nowhere
! No resources found in nowhere namespace.
[since 1.32]

$ kubectl describe cm conf -n nowhere
! Error from server (NotFound): namespaces "nowhere" not found
[exit 1]
[since 1.32]

$ kubectl delete -f some.yaml --ignore-not-found | wc -l
22
