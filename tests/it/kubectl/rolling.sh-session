# A Deployment from its first apply to its end.

$ cat >web.yaml <<END
> apiVersion: apps/v1
> kind: Deployment
> metadata: {name: web, labels: {app: web}}
> spec:
>   replicas: 3
>   selector: {matchLabels: {app: web}}
>   template:
>     metadata: {labels: {app: web}}
>     spec:
>       containers:
>       - {name: nginx, image: 'nginx:1.7.9', ports: [{containerPort: 80}]}
> END

$ kubectl apply -f web.yaml
deployment.apps/web created

$ kubectl apply -f web.yaml
deployment.apps/web unchanged

$ kubectl rollout status deploy/web | tail -1
deployment "web" successfully rolled out

$ kubectl get deploy,rs -o wide
NAME                  READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES        SELECTOR
deployment.apps/web   3/3     3            3           1s    nginx        nginx:1.7.9   app=web

NAME                             DESIRED   CURRENT   READY   AGE   CONTAINERS   IMAGES        SELECTOR
replicaset.apps/web-5fdd7476b6   3         3         3       1s    nginx        nginx:1.7.9   app=web,pod-template-hash=5fdd7476b6

$ kubectl get pods -o wide --no-headers | awk '{ print $1, $2, $3, $4, $6, $8, $9 }'
web-5fdd7476b6-2s6tz 1/1 Running 0 10.244.2.2 <none> <none>
web-5fdd7476b6-cv958 1/1 Running 0 10.244.1.2 <none> <none>
web-5fdd7476b6-gl8rg 1/1 Running 0 10.244.3.2 <none> <none>

$ kubectl get deploy web -o name
deployment.apps/web

$ kubectl describe deployment web
Name:                   web
Namespace:              default
CreationTimestamp:      Sat, 21 Nov 2026 06:11:32 +0000
Labels:                 app=web
Annotations:            deployment.kubernetes.io/revision: 1
Selector:               app=web
Replicas:               3 desired | 3 updated | 3 total | 3 available | 0 unavailable
StrategyType:           RollingUpdate
MinReadySeconds:        0
RollingUpdateStrategy:  25% max unavailable, 25% max surge
Pod Template:
  Labels:  app=web
  Containers:
   nginx:
    Image:         nginx:1.7.9
    Port:          80/TCP
    Host Port:     0/TCP
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Available      True    MinimumReplicasAvailable
  Progressing    True    NewReplicaSetAvailable
OldReplicaSets:  <none>
NewReplicaSet:   web-5fdd7476b6 (3/3 replicas created)
Events:
  Type    Reason             Age   From                   Message
  ----    ------             ----  ----                   -------
  Normal  ScalingReplicaSet  2s    deployment-controller  Scaled up replica set web-5fdd7476b6 from 0 to 3
[eventually]
[since 1.32]

$ kubectl describe rs
Name:           web-5fdd7476b6
Namespace:      default
Selector:       app=web,pod-template-hash=5fdd7476b6
Labels:         app=web
                pod-template-hash=5fdd7476b6
Annotations:    deployment.kubernetes.io/desired-replicas: 3
                deployment.kubernetes.io/max-replicas: 4
                deployment.kubernetes.io/revision: 1
Controlled By:  Deployment/web
Replicas:       3 current / 3 desired
Pods Status:    3 Running / 0 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:  app=web
           pod-template-hash=5fdd7476b6
  Containers:
   nginx:
    Image:         nginx:1.7.9
    Port:          80/TCP
    Host Port:     0/TCP
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Events:
  Type    Reason            Age   From                   Message
  ----    ------            ----  ----                   -------
  Normal  SuccessfulCreate  2s    replicaset-controller  Created pod: web-5fdd7476b6-gl8rg
  Normal  SuccessfulCreate  2s    replicaset-controller  Created pod: web-5fdd7476b6-2s6tz
  Normal  SuccessfulCreate  2s    replicaset-controller  Created pod: web-5fdd7476b6-cv958
[eventually]
[since 1.32]

$ kubectl describe $(kubectl get pods -o name | head -1)
Name:             web-5fdd7476b6-72lm9
Namespace:        default
Priority:         0
Service Account:  default
Node:             k8s-node-1/192.168.0.3
Start Time:       Sat, 21 Nov 2026 06:22:32 +0000
Labels:           app=web
                  pod-template-hash=5fdd7476b6
Annotations:      <none>
Status:           Running
IP:               10.244.2.2
IPs:
  IP:           10.244.2.2
Controlled By:  ReplicaSet/web-5fdd7476b6
Containers:
  nginx:
    Container ID:   mini://c7621c6e1598211f976dd33b4e16ecfd14b2041e2a0ba226b774141cb2947ae8
    Image:          nginx:1.7.9
    Image ID:       docker.io/library/nginx@sha256:d2b2c4a55df787961299baed961b65e3bdce0ed8fc9a7e74226e1bfd95515491
    Port:           80/TCP
    Host Port:      0/TCP
    State:          Running
      Started:      Sat, 21 Nov 2026 06:22:32 +0000
    Ready:          True
    Restart Count:  0
    Environment:    <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-2hrqd (ro)
Conditions:
  Type                        Status
  PodReadyToStartContainers   True
  Initialized                 True
  Ready                       True
  ContainersReady             True
  PodScheduled                True
Volumes:
  kube-api-access-2hrqd:
    Type:                    Projected (a volume that contains injected data from multiple sources)
    TokenExpirationSeconds:  3607
    ConfigMapName:           kube-root-ca.crt
    ConfigMapOptional:       <nil>
    DownwardAPI:             true
QoS Class:                   BestEffort
Node-Selectors:              <none>
Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                             node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
Events:
  Type    Reason     Age   From               Message
  ----    ------     ----  ----               -------
  Normal  Scheduled  1s    default-scheduler  Successfully assigned default/web-5fdd7476b6-72lm9 to k8s-node-1
  Normal  Pulling    1s    kubelet            Pulling image "nginx:1.7.9"
  Normal  Pulled     1s    kubelet            Successfully pulled image "nginx:1.7.9" in 207ms (207ms including waiting). Image size: 99164026 bytes.
  Normal  Created    1s    kubelet            Container created
  Normal  Started    1s    kubelet            Container started
[eventually]
[since 1.32]

$ kubectl scale deploy web --replicas=5
deployment.apps/web scaled

$ kubectl rollout status deploy/web | tail -1
deployment "web" successfully rolled out

$ kubectl scale deploy web --current-replicas=9 --replicas=1
! error: Expected replicas to be 9, was 5
[exit 1]

$ kubectl scale deploy web --current-replicas=5 --replicas=4
deployment.apps/web scaled

$ kubectl scale --replicas=5 -f web.yaml
deployment.apps/web scaled

$ kubectl scale deploy nope --replicas=1
! error: no objects passed to scale deployments.apps "nope" not found
[exit 1]
[since 1.32]

$ kubectl scale rs --replicas=3 -l app=nothing
! error: no objects passed to scale
[exit 1]

$ kubectl rollout status deploy/web | tail -1
deployment "web" successfully rolled out

$ kubectl get deploy web -o jsonpath='{.spec.replicas} {.status.readyReplicas}{"\n"}'
5 5

$ kubectl set image deploy/web nginx=nginx:1.9.1
deployment.apps/web image updated

$ kubectl rollout status deploy/web | grep -v ^Waiting
deployment "web" successfully rolled out

$ kubectl rollout history deploy/web
deployment.apps/web
REVISION  CHANGE-CAUSE
1         <none>
2         <none>

$ kubectl rollout history deploy/web --revision=2
deployment.apps/web with revision #2
Pod Template:
  Labels:	app=web
	pod-template-hash=56bb9d4f6
  Containers:
   nginx:
    Image:	nginx:1.9.1
    Port:	80/TCP
    Host Port:	0/TCP
    Environment:	<none>
    Mounts:	<none>
  Volumes:	<none>
  Node-Selectors:	<none>
  Tolerations:	<none>
[since 1.32]

$ kubectl rollout history deploy/web --revision=9
! error: unable to find the specified revision
[exit 1]

$ kubectl rollout undo deploy/web --to-revision=1
deployment.apps/web rolled back

$ kubectl rollout history deploy/web
deployment.apps/web
REVISION  CHANGE-CAUSE
2         <none>
3         <none>

$ kubectl rollout undo deploy/web --to-revision=99
! error: unable to find specified revision 99 in history
[exit 1]

$ kubectl rollout undo deploy/web --to-revision=3
deployment.apps/web skipped rollback (current template already matches revision 3)

$ kubectl rollout undo deploy/web --dry-run=server
deployment.apps/web rolled back (server dry run)

$ kubectl rollout pause deploy/web
deployment.apps/web paused

$ kubectl rollout pause deploy/web
! error: deployments.apps "web" is already paused
[exit 1]

$ kubectl rollout undo deploy/web
! error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again
[exit 1]
[since 1.32]

$ kubectl rollout resume deploy/web
deployment.apps/web resumed

$ kubectl rollout resume deploy/web
! error: deployments.apps "web" is not paused
[exit 1]

$ kubectl rollout status deploy/web | grep -v ^Waiting
deployment "web" successfully rolled out

$ kubectl rollout restart deploy/web
deployment.apps/web restarted

$ kubectl rollout status deploy/web | grep -v ^Waiting
deployment "web" successfully rolled out

$ kubectl describe deployment web | sed '/^Events:/,$d'
Name:                   web
Namespace:              default
CreationTimestamp:      Sat, 21 Nov 2026 06:11:32 +0000
Labels:                 app=web
Annotations:            deployment.kubernetes.io/revision: 4
Selector:               app=web
Replicas:               5 desired | 5 updated | 5 total | 5 available | 0 unavailable
StrategyType:           RollingUpdate
MinReadySeconds:        0
RollingUpdateStrategy:  25% max unavailable, 25% max surge
Pod Template:
  Labels:       app=web
  Annotations:  kubectl.kubernetes.io/restartedAt: 2026-11-21T06:11:42Z
  Containers:
   nginx:
    Image:         nginx:1.7.9
    Port:          80/TCP
    Host Port:     0/TCP
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Available      True    MinimumReplicasAvailable
  Progressing    True    NewReplicaSetAvailable
OldReplicaSets:  web-5fdd7476b6 (0/0 replicas created), web-56bb9d4f6 (0/0 replicas created)
NewReplicaSet:   web-5f588ff68f (5/5 replicas created)
[since 1.32]

$ kubectl annotate deploy web kubernetes.io/change-cause='first try'
deployment.apps/web annotated

$ kubectl rollout history deploy/web
deployment.apps/web
REVISION  CHANGE-CAUSE
2         <none>
3         <none>
4         first try

$ kubectl rollout status deploy/nope
! Error from server (NotFound): deployments.apps "nope" not found
[exit 1]

$ kubectl set image deploy/web nope=nginx:1.9.1
! error: unable to find container named "nope"
[exit 1]

$ kubectl rollout status deploy/web --revision=1
! error: desired revision (1) is different from the running revision (4)
[exit 1]

# What else a template says.

$ kubectl set env deploy/web MODE=fast LEVEL=3
deployment.apps/web env updated

$ kubectl set env deploy/web --list
# Deployment web, container nginx
MODE=fast
LEVEL=3

$ kubectl set env deploy/web LEVEL-
deployment.apps/web env updated

$ kubectl set resources deploy/web --limits=cpu=200m,memory=128Mi --requests=cpu=100m
deployment.apps/web resource requirements updated

$ kubectl set resources deploy/web --limits=cpu=nope
! error: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
[exit 1]

$ kubectl set serviceaccount deploy web robot
deployment.apps/web serviceaccount updated

$ kubectl set image deploy web '*=nginx:1.25' --record
! Flag --record has been deprecated, --record will be removed in the future
deployment.apps/web image updated
[since 1.32]

$ kubectl get deploy web -o jsonpath='{.spec.template.spec}{"\n"}'
{"containers":[{"env":[{"name":"MODE","value":"fast"}],"image":"nginx:1.25","imagePullPolicy":"IfNotPresent","name":"nginx","ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{"limits":{"cpu":"200m","memory":"128Mi"},"requests":{"cpu":"100m"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"serviceAccount":"robot","serviceAccountName":"robot","terminationGracePeriodSeconds":30}

$ kubectl set serviceaccount deploy web default
deployment.apps/web serviceaccount updated

$ kubectl rollout status deploy/web | grep -v ^Waiting
deployment "web" successfully rolled out

# A name for its pods.

$ kubectl expose deploy web --port=80 --name=web-svc
service/web-svc exposed

$ kubectl get svc
NAME         TYPE        CLUSTER-IP     EXTERNAL-IP   PORT(S)   AGE
kubernetes   ClusterIP   10.254.0.1     <none>        443/TCP   22s
web-svc      ClusterIP   10.254.96.94   <none>        80/TCP    0s

$ kubectl describe svc web-svc
Name:                     web-svc
Namespace:                default
Labels:                   app=web
Annotations:              <none>
Selector:                 app=web
Type:                     ClusterIP
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.254.96.94
IPs:                      10.254.96.94
Port:                     <unset>  80/TCP
TargetPort:               80/TCP
Endpoints:                10.244.1.11:80,10.244.1.12:80,10.244.3.13:80 + 2 more...
Session Affinity:         None
Internal Traffic Policy:  Cluster
Events:                   <none>
[since 1.32]

$ kubectl get endpoints web-svc
! Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
NAME      ENDPOINTS                                                  AGE
web-svc   10.244.1.10:80,10.244.1.11:80,10.244.1.12:80 + 2 more...   0s

$ kubectl get endpointslices -l kubernetes.io/service-name=web-svc -o custom-columns=NAME:.metadata.name,PORTS:.ports[*].port
NAME            PORTS
web-svc-lqqb2   80

$ kubectl expose deploy web --type=NodePort --port=8080 --target-port=80 --name=web-np
service/web-np exposed

$ kubectl get svc web-np -o wide
NAME     TYPE       CLUSTER-IP       EXTERNAL-IP   PORT(S)          AGE   SELECTOR
web-np   NodePort   10.254.157.162   <none>        8080:31480/TCP   0s    app=web

$ kubectl describe svc web-np
Name:                     web-np
Namespace:                default
Labels:                   app=web
Annotations:              <none>
Selector:                 app=web
Type:                     NodePort
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.254.157.162
IPs:                      10.254.157.162
Port:                     <unset>  8080/TCP
TargetPort:               80/TCP
NodePort:                 <unset>  31480/TCP
Endpoints:                10.244.1.11:80,10.244.1.12:80,10.244.3.13:80 + 2 more...
Session Affinity:         None
External Traffic Policy:  Cluster
Internal Traffic Policy:  Cluster
Events:                   <none>
[since 1.32]

$ kubectl expose deploy web --port=80 --name=web-svc
! Error from server (AlreadyExists): services "web-svc" already exists
[exit 1]

$ kubectl set selector svc web-np app=web,tier=front
service/web-np selector updated

$ kubectl get svc web-np -o jsonpath='{.spec.selector}{"\n"}'
{"app":"web","tier":"front"}

$ kubectl delete svc web-np
service "web-np" deleted

$ kubectl autoscale deploy web --min=2 --max=6 --cpu-percent=80
horizontalpodautoscaler.autoscaling/web autoscaled

$ kubectl get hpa web
NAME   REFERENCE        TARGETS              MINPODS   MAXPODS   REPLICAS   AGE
web    Deployment/web   cpu: <unknown>/80%   2         6         0          0s

$ kubectl autoscale deploy web --min=2 --max=6
! Error from server (AlreadyExists): horizontalpodautoscalers.autoscaling "web" already exists
[exit 1]

$ kubectl delete hpa web
horizontalpodautoscaler.autoscaling "web" deleted

# Waiting.

$ kubectl wait --for=condition=Available deploy/web --timeout=30s
deployment.apps/web condition met

$ kubectl wait --for=jsonpath='{.status.readyReplicas}'=5 deploy/web --timeout=30s
deployment.apps/web condition met
[since 1.32]

$ kubectl wait --for=condition=Nope deploy/web --timeout=1s
! error: timed out waiting for the condition on deployments/web
[exit 1]

$ kubectl wait --for=delete deploy/web --timeout=1s
! error: timed out waiting for the condition on deployments/web
[exit 1]

$ kubectl wait --for=condition=Ready pod -l app=web --timeout=30s
pod/web-6b8749ccdd-c5ssl condition met
pod/web-6b8749ccdd-cmwkt condition met
pod/web-6b8749ccdd-ktnkh condition met
pod/web-6b8749ccdd-tvw4v condition met
pod/web-6b8749ccdd-x8hqb condition met

$ kubectl wait --for=condition=Ready pod/nope
! Error from server (NotFound): pods "nope" not found
[exit 1]

$ kubectl wait --for=create cm/later --timeout=30s & kubectl create cm later; wait
configmap/later created
configmap/later condition met
[since 1.32]

# A rollout that cannot end.

$ kubectl patch deploy web -p '{"spec":{"progressDeadlineSeconds":1,"template":{"spec":{"nodeSelector":{"disk":"ssd"}}}}}'
deployment.apps/web patched

$ kubectl rollout status deploy/web | grep -v ^Waiting
! error: deployment "web" exceeded its progress deadline
[exit 1]

$ kubectl rollout undo deploy/web
deployment.apps/web rolled back

$ kubectl rollout status deploy/web | grep -v ^Waiting
deployment "web" successfully rolled out
[eventually]

# Its end.

$ kubectl delete deploy web --cascade=orphan
deployment.apps "web" deleted

$ kubectl get deploy,rs -o name | wc -l
10

$ kubectl delete rs -l app=web
replicaset.apps "web-564c87b856" deleted
replicaset.apps "web-56bb9d4f6" deleted
replicaset.apps "web-57c8ffd566" deleted
replicaset.apps "web-5bb8977ccf" deleted
replicaset.apps "web-5f588ff68f" deleted
replicaset.apps "web-5fdd7476b6" deleted
replicaset.apps "web-657d78f9b6" deleted
replicaset.apps "web-69b79b6f77" deleted
replicaset.apps "web-6b8749ccdd" deleted
replicaset.apps "web-85c6868594" deleted

$ kubectl get pods
! No resources found in default namespace.
[eventually]

$ kubectl apply -f web.yaml
deployment.apps/web created

$ kubectl delete deploy web --cascade=foreground
deployment.apps "web" deleted

$ kubectl get deploy,rs,pods
! No resources found in default namespace.
