# Who may do what, what has happened, and what a client knows.

$ kubectl auth can-i get pods
yes

$ kubectl auth can-i create deployments.apps -n kube-system
yes

$ kubectl auth can-i get nopes
! Warning: the server doesn't have a resource type 'nopes'
!
yes
[since 1.32]

$ kubectl auth can-i --list | head -2
Resources   Non-Resource URLs   Resource Names   Verbs
*.*         []                  []               [*]

$ kubectl auth whoami
ATTRIBUTE   VALUE
Username    system:anonymous
Groups      [system:unauthenticated]
[since 1.32]

$ kubectl create token default --duration=1h | cut -c1-3
eyJ
[since 1.32]

$ kubectl create token nope
! error: failed to create token: serviceaccounts "nope" not found
[exit 1]
[since 1.32]

# What a pod says.

$ kubectl run talk --image=nginx
pod/talk created

$ kubectl wait --for=condition=Ready pod/talk --timeout=30s
pod/talk condition met

$ kubectl logs talk | head -n 1
/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration

$ kubectl logs pod/talk -c talk --tail=1 | cut -d ' ' -f 3-
[notice] 1#1: start worker process 29

$ kubectl logs talk -c nope
! error: container nope is not valid for pod talk
[exit 1]

$ kubectl logs talk --previous
! Error from server (BadRequest): previous terminated container "talk" in pod "talk" not found
[exit 1]

$ kubectl logs talk --timestamps --since=1h --limit-bytes=30
2026-11-21T06:30:12.353684121Z

$ kubectl logs -l run=talk --prefix --tail=1 | cut -d ' ' -f 1,4-
[pod/talk/talk] [notice] 1#1: start worker process 29

$ timeout 2 kubectl logs talk --follow --tail=1 | cut -d ' ' -f 3-
[notice] 1#1: start worker process 29

$ kubectl logs nope
! error: error from server (NotFound): pods "nope" not found in namespace "default"
[exit 1]
[since 1.32]

$ kubectl exec nope -- ls
! Error from server (NotFound): pods "nope" not found
[exit 1]

$ kubectl attach nope
! Error from server (NotFound): pods "nope" not found
[exit 1]

$ kubectl port-forward pod/nope 8080:80
! Error from server (NotFound): pods "nope" not found
[exit 1]

$ kubectl port-forward pod/talk :80 >forwarded & until port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' forwarded 2>/dev/null) && [ "$port" ]
> do sleep 0.1; done; curl -s 127.0.0.1:$port | grep '<title>'; kill $!
<title>Welcome to nginx!</title>

$ kubectl cp nope:/a b
! Error from server (NotFound): pods "nope" not found
[exit 1]

$ kubectl debug talk --image=busybox --target=talk --container=helper -- sleep 60
! --profile=legacy is deprecated and will be removed in the future. It is recommended to explicitly specify a profile, for example "--profile=general".
Targeting container "talk". If you don't see processes from this container it may be because the container runtime doesn't support this feature.
[since 1.32]

$ kubectl get pod talk -o jsonpath='{.spec.ephemeralContainers[0].name} {.spec.ephemeralContainers[0].command}{"\n"}'
helper ["sleep","60"]
[since 1.32]

$ kubectl exec talk -c helper -- ps | tail -n +2 | awk '{ $1 = ""; $3 = ""; print }' | sort
 101  nginx: worker process
 root  nginx: master process nginx -g daemon off;
 root  ps
 root  sleep 60
[eventually]
[since 1.32]

$ kubectl events --for pod/talk | head -n 6
LAST SEEN   TYPE     REASON      OBJECT     MESSAGE
4s          Normal   Scheduled   Pod/talk   Successfully assigned default/talk to k8s-node-2
4s          Normal   Pulling     Pod/talk   Pulling image "nginx"
4s          Normal   Pulled      Pod/talk   Successfully pulled image "nginx" in 200ms (200ms including waiting). Image size: 147315942 bytes.
4s          Normal   Created     Pod/talk   Container created
4s          Normal   Started     Pod/talk   Container started
[eventually]
[since 1.32]

$ kubectl events --types=Warning
! No events found in default namespace.
[since 1.32]

$ kubectl get events --field-selector involvedObject.name=talk,reason=Started | head -n 2
LAST SEEN   TYPE     REASON    OBJECT     MESSAGE
4s          Normal   Started   pod/talk   Container started
[eventually]

$ kubectl get events --sort-by=.lastTimestamp --field-selector involvedObject.name=talk -o custom-columns=REASON:.reason,FROM:.source.component,TYPE:.type | head -6
REASON      FROM                TYPE
Scheduled   default-scheduler   Normal
Pulling     kubelet             Normal
Pulled      kubelet             Normal
Created     kubelet             Normal
Started     kubelet             Normal
[eventually]

$ kubectl get events -n nowhere
! No resources found in nowhere namespace.

$ kubectl top pod
! error: Metrics API not available
[exit 1]

$ kubectl top node
! error: Metrics API not available
[exit 1]

# How the server is found.

$ kubectl completion bash | grep -c '__start_kubectl kubectl$'
2

$ kubectl options | head -1
The following options can be passed to any command:

$ kubectl get pods --server=http://127.0.0.1:1 2>&1 | tail -1
The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?

$ kubectl get pods --context=nope
! Error in configuration: context was not found for specified context: nope
[exit 1]

$ kubectl get pods --request-timeout=nope
! error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)
[exit 1]

$ kubectl config set-context --current --namespace=kube-system
Context "mini" modified.

$ kubectl get pods
! No resources found in kube-system namespace.

$ kubectl config set-context --current --namespace=default
Context "mini" modified.

$ kubectl cluster-info dump --namespaces=default -o json | head -3
{
    "kind": "NodeList",
    "apiVersion": "v1",

$ kubectl get pod talk -o json | kubectl get -f - -o name
pod/talk

$ kubectl delete pod talk --now
pod "talk" deleted
