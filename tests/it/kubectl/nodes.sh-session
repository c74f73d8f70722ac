# Nodes: marked, tainted, emptied; and pods that find none.

$ kubectl get node --show-labels
NAME         STATUS   ROLES    AGE   VERSION   LABELS
k8s-node-1   Ready    <none>   1s    v1.36.0   beta.kubernetes.io/arch=amd64,beta.kubernetes.io/os=linux,kubernetes.io/arch=amd64,kubernetes.io/hostname=k8s-node-1,kubernetes.io/os=linux
k8s-node-2   Ready    <none>   1s    v1.36.0   beta.kubernetes.io/arch=amd64,beta.kubernetes.io/os=linux,kubernetes.io/arch=amd64,kubernetes.io/hostname=k8s-node-2,kubernetes.io/os=linux
k8s-node-3   Ready    <none>   1s    v1.36.0   beta.kubernetes.io/arch=amd64,beta.kubernetes.io/os=linux,kubernetes.io/arch=amd64,kubernetes.io/hostname=k8s-node-3,kubernetes.io/os=linux

$ kubectl label node k8s-node-1 disktype=ssd
node/k8s-node-1 labeled

$ kubectl label node k8s-node-1 disktype=hdd
! error: 'disktype' already has a value (ssd), and --overwrite is false
[exit 1]

$ kubectl label node k8s-node-1 disktype=hdd --overwrite
node/k8s-node-1 labeled

$ kubectl label node k8s-node-1 node-role.kubernetes.io/worker=
node/k8s-node-1 labeled

$ kubectl get node -L disktype
NAME         STATUS   ROLES    AGE   VERSION   DISKTYPE
k8s-node-1   Ready    worker   2s    v1.36.0   hdd
k8s-node-2   Ready    <none>   2s    v1.36.0
k8s-node-3   Ready    <none>   2s    v1.36.0

$ kubectl label node k8s-node-1 disktype- node-role.kubernetes.io/worker-
node/k8s-node-1 unlabeled
[since 1.32]

$ kubectl taint node k8s-node-2 a=b:NoSchedule
node/k8s-node-2 tainted

$ kubectl taint node k8s-node-2 a=b:NoSchedule
! error: node k8s-node-2 already has a taint(s) with same effect(s) and --overwrite is false
[exit 1]

$ kubectl taint node k8s-node-2 a=c:NoSchedule --overwrite
node/k8s-node-2 modified

$ kubectl get node k8s-node-2 -o jsonpath='{.spec.taints}{"\n"}'
[{"effect":"NoSchedule","key":"a","value":"c"}]

$ kubectl taint node k8s-node-2 a:NoSchedule-
node/k8s-node-2 untainted

$ kubectl taint node k8s-node-2 a-
! error: taint "a" not found
[exit 1]

$ kubectl taint node k8s-node-2 a=b:Nonsense
! error: invalid taint effect: Nonsense, unsupported taint effect
! See 'kubectl taint -h' for help and examples
[exit 1]

$ kubectl taint node nope a=b:NoSchedule
! Error from server (NotFound): nodes "nope" not found
[exit 1]

# A node is emptied.

$ kubectl cordon k8s-node-3
node/k8s-node-3 cordoned

$ kubectl cordon k8s-node-3
node/k8s-node-3 already cordoned

$ kubectl get nodes
NAME         STATUS                     ROLES    AGE   VERSION
k8s-node-1   Ready                      <none>   4s    v1.36.0
k8s-node-2   Ready                      <none>   4s    v1.36.0
k8s-node-3   Ready,SchedulingDisabled   <none>   4s    v1.36.0

$ for name in lone late; do kubectl run $name --image=nginx --overrides='{"spec":{"nodeName":"k8s-node-3"}}'; done
pod/lone created
pod/late created

$ kubectl wait --for=condition=Ready pod/lone pod/late --timeout=30s
pod/lone condition met
pod/late condition met

$ kubectl drain k8s-node-3 --dry-run=client --force
! Warning: deleting Pods that declare no controller: default/late, default/lone
node/k8s-node-3 already cordoned (dry run)
evicting pod default/late (dry run)
evicting pod default/lone (dry run)
node/k8s-node-3 drained (dry run)
[since 1.32]

$ kubectl drain k8s-node-3 --timeout=30s
! error: unable to drain node "k8s-node-3" due to error: cannot delete cannot delete Pods that declare no controller (use --force to override): default/late, default/lone, continuing command...
! There are pending nodes to be drained:
!  k8s-node-3
! cannot delete cannot delete Pods that declare no controller (use --force to override): default/late, default/lone
node/k8s-node-3 already cordoned
[exit 1]
[since 1.32]

$ kubectl create poddisruptionbudget strict --selector=run=lone --max-unavailable=0
poddisruptionbudget.policy/strict created
[since 1.32]

$ kubectl patch pdb strict --subresource=status --type=merge -p '{"status":{"observedGeneration":1,"disruptionsAllowed":0,"currentHealthy":1,"desiredHealthy":1,"expectedPods":1}}'
poddisruptionbudget.policy/strict patched
[since 1.32]

$ kubectl drain k8s-node-3 --force --pod-selector=run=lone --timeout=2s
! Warning: deleting Pods that declare no controller: default/lone
! error when evicting pods/"lone" -n "default" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.
! There are pending pods in node "k8s-node-3" when an error occurred: error when evicting pods/"lone" -n "default": global timeout reached: 2s
! pod/lone
! error: unable to drain node "k8s-node-3" due to error: error when evicting pods/"lone" -n "default": global timeout reached: 2s, continuing command...
! There are pending nodes to be drained:
!  k8s-node-3
! error when evicting pods/"lone" -n "default": global timeout reached: 2s
node/k8s-node-3 already cordoned
evicting pod default/lone
evicting pod default/lone
[exit 1]
[since 1.32]

$ kubectl delete pdb strict
poddisruptionbudget.policy "strict" deleted
[since 1.32]

$ kubectl drain k8s-node-3 --ignore-daemonsets --force --delete-emptydir-data --timeout=50s --pod-selector=run=lone
! Warning: deleting Pods that declare no controller: default/lone
node/k8s-node-3 already cordoned
evicting pod default/lone
pod/lone evicted
node/k8s-node-3 drained
[since 1.32]

$ kubectl get pods --field-selector spec.nodeName=k8s-node-3
NAME   READY   STATUS    RESTARTS   AGE
late   1/1     Running   0          62s

$ kubectl drain k8s-node-3 --force --disable-eviction --grace-period=1
! Warning: deleting Pods that declare no controller: default/late
node/k8s-node-3 already cordoned
pod/late deleted
node/k8s-node-3 drained
[since 1.32]

$ kubectl uncordon k8s-node-3
node/k8s-node-3 uncordoned

$ kubectl uncordon k8s-node-3
node/k8s-node-3 already uncordoned

$ kubectl describe node k8s-node-1 | sed '/^Events:/,$d'
Name:               k8s-node-1
Roles:              <none>
Labels:             beta.kubernetes.io/arch=amd64
                    beta.kubernetes.io/os=linux
                    kubernetes.io/arch=amd64
                    kubernetes.io/hostname=k8s-node-1
                    kubernetes.io/os=linux
Annotations:        mini.dev/kubelet-address: 127.0.0.1:37607
                    node.alpha.kubernetes.io/ttl: 0
                    volumes.kubernetes.io/controller-managed-attach-detach: true
CreationTimestamp:  Sat, 21 Nov 2026 06:42:44 +0000
Taints:             <none>
Unschedulable:      false
Lease:
  HolderIdentity:  k8s-node-1
  AcquireTime:     <unset>
  RenewTime:       Sat, 21 Nov 2026 06:43:44 +0000
Conditions:
  Type             Status  LastHeartbeatTime                 LastTransitionTime                Reason                       Message
  ----             ------  -----------------                 ------------------                ------                       -------
  MemoryPressure   False   Sat, 21 Nov 2026 06:42:44 +0000   Sat, 21 Nov 2026 06:42:44 +0000   KubeletHasSufficientMemory   kubelet has sufficient memory available
  DiskPressure     False   Sat, 21 Nov 2026 06:42:44 +0000   Sat, 21 Nov 2026 06:42:44 +0000   KubeletHasNoDiskPressure     kubelet has no disk pressure
  PIDPressure      False   Sat, 21 Nov 2026 06:42:44 +0000   Sat, 21 Nov 2026 06:42:44 +0000   KubeletHasSufficientPID      kubelet has sufficient PID available
  Ready            True    Sat, 21 Nov 2026 06:42:44 +0000   Sat, 21 Nov 2026 06:42:44 +0000   KubeletReady                 kubelet is posting ready status
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
  Boot ID:                    3557b483-5b15-4bac-8546-218037c4f5cb
  Kernel Version:             6.12.0-mini
  OS Image:                   mini (simulated)
  Operating System:           linux
  Architecture:               amd64
  Container Runtime Version:  mini://0.1.0
  Kubelet Version:            v1.36.0
  Kube-Proxy Version:
PodCIDR:                      10.244.1.0/24
PodCIDRs:                     10.244.1.0/24
Non-terminated Pods:          (0 in total)
  Namespace                   Name    CPU Requests  CPU Limits  Memory Requests  Memory Limits  Age
  ---------                   ----    ------------  ----------  ---------------  -------------  ---
Allocated resources:
  (Total limits may be over 100 percent, i.e., overcommitted.)
  Resource           Requests  Limits
  --------           --------  ------
  cpu                0 (0%)    0 (0%)
  memory             0 (0%)    0 (0%)
  ephemeral-storage  0 (0%)    0 (0%)
  hugepages-1Gi      0 (0%)    0 (0%)
  hugepages-2Mi      0 (0%)    0 (0%)
[since 1.32]

$ kubectl describe node k8s-node-1 | sed '1,/^Events:/d' | sort
  ----    ------                   ----  ----             -------
  Normal  NodeAllocatableEnforced  11s   kubelet          Updated Node Allocatable limit across pods
  Normal  NodeHasNoDiskPressure    11s   kubelet          Node k8s-node-1 status is now: NodeHasNoDiskPressure
  Normal  NodeHasSufficientMemory  11s   kubelet          Node k8s-node-1 status is now: NodeHasSufficientMemory
  Normal  NodeHasSufficientPID     11s   kubelet          Node k8s-node-1 status is now: NodeHasSufficientPID
  Normal  NodeReady                11s   kubelet          Node k8s-node-1 status is now: NodeReady
  Normal  RegisteredNode           11s   node-controller  Node k8s-node-1 event: Registered Node k8s-node-1 in Controller
  Normal  Starting                 11s   kubelet          Starting kubelet.
  Type    Reason                   Age   From             Message
[eventually]
[since 1.32]

# Pods that no node can take.

$ kubectl cordon k8s-node-1
node/k8s-node-1 cordoned

$ kubectl run nowhere --image=nginx --overrides='{"spec":{"nodeSelector":{"disktype":"ssd"}}}'
pod/nowhere created

$ kubectl run huge --image=nginx --overrides='{"spec":{"containers":[{"name":"c","image":"nginx","resources":{"requests":{"cpu":"500","memory":"1Ti"}}}]}}'
pod/huge created

$ kubectl run elsewhere --image=nginx --overrides='{"spec":{"nodeName":"nosuchnode"}}'
pod/elsewhere created

$ kubectl get pod nowhere huge elsewhere -o wide
NAME        READY   STATUS    RESTARTS   AGE   IP       NODE         NOMINATED NODE   READINESS GATES
nowhere     0/1     Pending   0          6s    <none>   <none>       <none>           <none>
huge        0/1     Pending   0          6s    <none>   <none>       <none>           <none>
elsewhere   0/1     Pending   0          6s    <none>   nosuchnode   <none>           <none>
[eventually]

$ kubectl events --for pod/nowhere
LAST SEEN   TYPE      REASON             OBJECT        MESSAGE
13s         Warning   FailedScheduling   Pod/nowhere   0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
[eventually]
[since 1.32]

$ kubectl describe pod nowhere
Name:             nowhere
Namespace:        default
Priority:         0
Service Account:  default
Node:             <none>
Labels:           run=nowhere
Annotations:      <none>
Status:           Pending
IP:
IPs:              <none>
Containers:
  nowhere:
    Image:        nginx
    Port:         <none>
    Host Port:    <none>
    Environment:  <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-n86lb (ro)
Conditions:
  Type           Status
  PodScheduled   False
Volumes:
  kube-api-access-n86lb:
    Type:                    Projected (a volume that contains injected data from multiple sources)
    TokenExpirationSeconds:  3607
    ConfigMapName:           kube-root-ca.crt
    ConfigMapOptional:       <nil>
    DownwardAPI:             true
QoS Class:                   BestEffort
Node-Selectors:              disktype=ssd
Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                             node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
Events:
  Type     Reason            Age   From               Message
  ----     ------            ----  ----               -------
  Warning  FailedScheduling  13s   default-scheduler  0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
[eventually]
[since 1.32]

$ kubectl describe pod huge
Name:             huge
Namespace:        default
Priority:         0
Service Account:  default
Node:             <none>
Labels:           run=huge
Annotations:      <none>
Status:           Pending
IP:
IPs:              <none>
Containers:
  c:
    Image:      nginx
    Port:       <none>
    Host Port:  <none>
    Requests:
      cpu:        500
      memory:     1Ti
    Environment:  <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-26jfx (ro)
Conditions:
  Type           Status
  PodScheduled   False
Volumes:
  kube-api-access-26jfx:
    Type:                    Projected (a volume that contains injected data from multiple sources)
    TokenExpirationSeconds:  3607
    ConfigMapName:           kube-root-ca.crt
    ConfigMapOptional:       <nil>
    DownwardAPI:             true
QoS Class:                   Burstable
Node-Selectors:              <none>
Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                             node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
Events:
  Type     Reason            Age   From               Message
  ----     ------            ----  ----               -------
  Warning  FailedScheduling  13s   default-scheduler  0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu, 2 Insufficient memory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
[eventually]
[since 1.32]

$ kubectl get events --field-selector reason=FailedScheduling --sort-by=.involvedObject.name
LAST SEEN   TYPE      REASON             OBJECT        MESSAGE
13s         Warning   FailedScheduling   pod/huge      0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu, 2 Insufficient memory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
13s         Warning   FailedScheduling   pod/nowhere   0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
[eventually]

$ kubectl uncordon k8s-node-1
node/k8s-node-1 uncordoned

$ kubectl label node k8s-node-1 disktype=ssd
node/k8s-node-1 labeled

$ kubectl wait --for=condition=Ready pod/nowhere --timeout=30s
pod/nowhere condition met

$ kubectl get pod nowhere -o custom-columns=NODE:.spec.nodeName --no-headers
k8s-node-1

$ kubectl delete pod elsewhere huge nowhere --grace-period=0 --force
! Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.
pod "elsewhere" force deleted
pod "huge" force deleted
pod "nowhere" force deleted
[since 1.32]
