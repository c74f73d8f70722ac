# What mini-ctl leaves to kubectl: to reconcile roles, to approve certificates, to be a proxy, to find plugins.

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

$ kubectl proxy --port=0 >proxied & while ! [ -s proxied ]; do :; done
> base=http://$(grep -o '127.*' proxied); curl -s $base/version | grep major; curl -s $base/api/v1/namespaces/default | grep -o '"phase": *"Active"'; kill %1
{"buildDate":"1970-01-01T00:00:00Z","compiler":"rustc","emulationMajor":"1","emulationMinor":"36","gitCommit":"","gitTreeState":"clean","gitVersion":"v1.36.0","goVersion":"","major":"1","minCompatibilityMajor":"1","minCompatibilityMinor":"35","minor":"36","platform":"linux/amd64"}
"phase":"Active"

$ kubectl plugin list
! error: unable to find any kubectl plugins in your PATH
[exit 1]
