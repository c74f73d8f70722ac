# Who may do what, what has happened, and what kubectl does beside.

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

$ kubectl auth reconcile -f - <<END
> apiVersion: rbac.authorization.k8s.io/v1
> kind: ClusterRole
> metadata: {name: watcher}
> rules: [{apiGroups: [''], resources: [pods], verbs: [watch]}]
> END
! 	reconciliation required create
! 	missing rules added:
! 		{Verbs:[watch] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}
clusterrole.rbac.authorization.k8s.io/watcher reconciled

$ kubectl create token default --duration=1h | cut -c1-3
eyJ
[since 1.32]

$ kubectl create token nope
! error: failed to create token: serviceaccounts "nope" not found
[exit 1]
[since 1.32]

# A certificate is asked for.

$ openssl req -new -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=jane/O=devs -out jane.csr 2>/dev/null

$ for name in jane joe; do
>   cat <<END
> apiVersion: certificates.k8s.io/v1
> kind: CertificateSigningRequest
> metadata: {name: $name}
> spec: {request: $(base64 -w0 <jane.csr), signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], expirationSeconds: 86400}
> ---
> END
> done | kubectl apply -f -
certificatesigningrequest.certificates.k8s.io/jane created
certificatesigningrequest.certificates.k8s.io/joe created

$ kubectl get csr
NAME   AGE   SIGNERNAME                            REQUESTOR          REQUESTEDDURATION   CONDITION
jane   0s    kubernetes.io/kube-apiserver-client   system:anonymous   24h                 Pending
joe    0s    kubernetes.io/kube-apiserver-client   system:anonymous   24h                 Pending

$ kubectl certificate approve jane
certificatesigningrequest.certificates.k8s.io/jane approved

$ kubectl certificate deny joe
certificatesigningrequest.certificates.k8s.io/joe denied

$ kubectl certificate deny jane
! error: certificate signing request "jane" is already Approved
[exit 1]

$ kubectl get csr joe --no-headers | awk '{ print $NF }'
Denied

$ kubectl certificate approve nope
! Error from server (NotFound): certificatesigningrequests.certificates.k8s.io "nope" not found
[exit 1]

# What a pod says.

$ kubectl run talk --image=nginx
pod/talk created

$ kubectl wait --for=condition=Ready pod/talk --timeout=30s
pod/talk condition met

$ kubectl logs talk
started docker.io/library/nginx:latest

$ kubectl logs pod/talk -c talk --tail=1
started docker.io/library/nginx:latest

$ kubectl logs talk -c nope
! error: container nope is not valid for pod talk
[exit 1]

$ kubectl logs talk --previous
! Error from server (BadRequest): previous terminated container "talk" in pod "talk" not found
[exit 1]

$ kubectl logs talk --timestamps --since=1h --limit-bytes=30
2026-11-21T06:30:12.353684121Z

$ kubectl logs -l run=talk --prefix --tail=1
[pod/talk/talk] started docker.io/library/nginx:latest

$ timeout 2 kubectl logs talk --follow --tail=1
started docker.io/library/nginx:latest
[exit 124]

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

$ kubectl events --for pod/talk | grep -v helper
LAST SEEN   TYPE     REASON      OBJECT     MESSAGE
2s          Normal   Scheduled   Pod/talk   Successfully assigned default/talk to k8s-node-3
2s          Normal   Pulling     Pod/talk   Pulling image "nginx"
2s          Normal   Pulled      Pod/talk   Successfully pulled image "nginx" in 201ms (201ms including waiting). Image size: 147315942 bytes.
2s          Normal   Created     Pod/talk   Created container: talk
2s          Normal   Started     Pod/talk   Started container talk
[since 1.32]

$ kubectl events --types=Warning
! No events found in default namespace.
[since 1.32]

$ kubectl get events --field-selector involvedObject.name=talk,reason=Started
LAST SEEN   TYPE     REASON    OBJECT     MESSAGE
2s          Normal   Started   pod/talk   Started container talk

$ kubectl get events --sort-by=.lastTimestamp --field-selector involvedObject.name=talk -o custom-columns=REASON:.reason,FROM:.source.component,TYPE:.type | head -6
REASON      FROM                TYPE
Scheduled   default-scheduler   Normal
Pulling     kubelet             Normal
Pulled      kubelet             Normal
Created     kubelet             Normal
Started     kubelet             Normal

$ kubectl get events -n nowhere
! No resources found in nowhere namespace.

$ kubectl top pod
! error: Metrics API not available
[exit 1]

$ kubectl top node
! error: Metrics API not available
[exit 1]

# The server behind a proxy.

$ kubectl proxy --port=0 >proxied & while ! [ -s proxied ]; do :; done
> base=http://$(grep -o '127.*' proxied); curl -s $base/version | grep major; curl -s $base/api/v1/namespaces/default | grep -o '"phase": *"Active"'; kill %1
{"buildDate":"1970-01-01T00:00:00Z","compiler":"rustc","emulationMajor":"1","emulationMinor":"36","gitCommit":"","gitTreeState":"clean","gitVersion":"v1.36.0","goVersion":"","major":"1","minCompatibilityMajor":"1","minCompatibilityMinor":"35","minor":"36","platform":"linux/amd64"}
"phase":"Active"

$ kubectl completion bash | grep -c '__start_kubectl kubectl$'
2

$ kubectl options | head -1
The following options can be passed to any command:

$ kubectl plugin list
! error: unable to find any kubectl plugins in your PATH
[exit 1]

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
