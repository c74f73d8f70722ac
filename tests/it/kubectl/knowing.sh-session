# What a server is asked about itself, and what the client keeps: its file, and who it is.

$ kubectl api-resources --sort-by=name --api-group=apps --no-headers -o wide | grep -v v1beta
controllerrevisions            apps/v1   true   ControllerRevision   create,delete,deletecollection,get,list,patch,update,watch
daemonsets            ds       apps/v1   true   DaemonSet            create,delete,deletecollection,get,list,patch,update,watch   all
deployments           deploy   apps/v1   true   Deployment           create,delete,deletecollection,get,list,patch,update,watch   all
replicasets           rs       apps/v1   true   ReplicaSet           create,delete,deletecollection,get,list,patch,update,watch   all
statefulsets          sts      apps/v1   true   StatefulSet          create,delete,deletecollection,get,list,patch,update,watch   all
[since 1.32]

$ kubectl api-resources --sort-by=nope
! error: --sort-by accepts only name or kind
[exit 1]

$ kubectl api-resources -o nope
! error: --output nope is not available
[exit 1]

$ kubectl api-resources pods
! error: unexpected arguments: [pods]
! See 'kubectl api-resources -h' for help and examples
[exit 1]

$ kubectl api-versions pods
! error: unexpected arguments: [pods]
! See 'kubectl api-versions -h' for help and examples
[exit 1]

$ kubectl version -o nope
! error: --output must be 'yaml' or 'json'
[exit 1]

$ kubectl explain service.spec.ports
KIND:       Service
VERSION:    v1

FIELD: ports <[]ServicePort>


DESCRIPTION:
    The list of ports that are exposed by this service. More info:
    https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies
    ServicePort contains information on service's port.

FIELDS:
  appProtocol	<string>
    The application protocol for this port. This is used as a hint for
    implementations to offer richer behavior for protocols that they understand.
    This field follows standard Kubernetes label syntax. Valid values are
    either:

    * Un-prefixed protocol names - reserved for IANA standard service names (as
    per RFC-6335 and https://www.iana.org/assignments/service-names).

    * Kubernetes-defined prefixed names:
      * 'kubernetes.io/h2c' - HTTP/2 prior knowledge over cleartext as described
    in
    https://www.rfc-editor.org/rfc/rfc9113.html#name-starting-http-2-with-prior-
      * 'kubernetes.io/ws'  - WebSocket over cleartext as described in
    https://www.rfc-editor.org/rfc/rfc6455
      * 'kubernetes.io/wss' - WebSocket over TLS as described in
    https://www.rfc-editor.org/rfc/rfc6455

    * Other protocols should use implementation-defined prefixed names such as
    mycompany.com/my-custom-protocol.

  name	<string>
    The name of this port within the service. This must be a DNS_LABEL. All
    ports within a ServiceSpec must have unique names. When considering the
    endpoints for a Service, this must match the 'name' field in the
    EndpointPort. Optional if only one ServicePort is defined on this service.

  nodePort	<integer>
    The port on each node on which this service is exposed when type is NodePort
    or LoadBalancer.  Usually assigned by the system. If a value is specified,
    in-range, and not in use it will be used, otherwise the operation will fail.
    If not specified, a port will be allocated if this Service requires one.  If
    this field is specified when creating a Service which does not need it,
    creation will fail. This field will be wiped when updating a Service to no
    longer need it (e.g. changing type from NodePort to ClusterIP). More info:
    https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport

  port	<integer> -required-
    The port that will be exposed by this service.

  protocol	<string>
    The IP protocol for this port. Supports "TCP", "UDP", and "SCTP". Default is
    TCP.

  targetPort	<IntOrString>
    Number or name of the port to access on the pods targeted by the service.
    Number must be in the range 1 to 65535. Name must be an IANA_SVC_NAME. If
    this is a string, it will be looked up as a named port in the target Pod's
    container ports. If this is not specified, the value of the 'port' field is
    used (an identity map). This field is ignored for services with
    clusterIP=None, and should be omitted or set equal to the 'port' field. More
    info:
    https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service
[since 1.32]

$ kubectl explain pod.spec.tolerations --recursive
KIND:       Pod
VERSION:    v1

FIELD: tolerations <[]Toleration>


DESCRIPTION:
    If specified, the pod's tolerations.
    The pod this Toleration is attached to tolerates any taint that matches the
    triple <key,value,effect> using the matching operator <operator>.

FIELDS:
  effect	<string>
  key	<string>
  operator	<string>
  tolerationSeconds	<integer>
  value	<string>
[since 1.32]

$ kubectl explain deployments.extensions.spec.replicas
GROUP:      extensions
KIND:       Deployment
VERSION:    v1beta1

FIELD: replicas <integer>


DESCRIPTION:
    How many pods there are to be.
[since 1.32]

$ kubectl explain pod.spec.containers.resources.limits
KIND:       Pod
VERSION:    v1

FIELD: limits <map[string]Quantity>


DESCRIPTION:
    Limits describes the maximum amount of compute resources allowed. More info:
    https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
    Quantity is a fixed-point representation of a number. It provides convenient
    marshaling/unmarshaling in JSON and YAML, in addition to String() and
    AsInt64() accessors.

    The serialization format is:

    ``` <quantity>        ::= <signedNumber><suffix>

    	(Note that <suffix> may be empty, from the "" case in <decimalSI>.)

    <digit>           ::= 0 | 1 | ... | 9 <digits>          ::= <digit> |
    <digit><digits> <number>          ::= <digits> | <digits>.<digits> |
    <digits>. | .<digits> <sign>            ::= "+" | "-" <signedNumber>    ::=
    <number> | <sign><number> <suffix>          ::= <binarySI> |
    <decimalExponent> | <decimalSI> <binarySI>        ::= Ki | Mi | Gi | Ti | Pi
    | Ei

    	(International System of units; See:
    http://physics.nist.gov/cuu/Units/binary.html)

    <decimalSI>       ::= m | "" | k | M | G | T | P | E

    	(Note that 1024 = 1Ki but 1000 = 1k; I didn't choose the capitalization.)

    <decimalExponent> ::= "e" <signedNumber> | "E" <signedNumber> ```

    No matter which of the three exponent forms is used, no quantity may
    represent a number greater than 2^63-1 in magnitude, nor may it have more
    than 3 decimal places. Numbers larger or more precise will be capped or
    rounded up. (E.g.: 0.1m will rounded up to 1m.) This may be extended in the
    future if we require larger or smaller quantities.

    When a Quantity is parsed from a string, it will remember the type of suffix
    it had, and will use the same type again when it is serialized.

    Before serializing, Quantity will be put in "canonical form". This means
    that Exponent/suffix will be adjusted up or down (with a corresponding
    increase or decrease in Mantissa) such that:

    - No precision is lost - No fractional digits will be emitted - The exponent
    (or suffix) is as large as possible.

    The sign will be omitted unless the number is negative.

    Examples:

    - 1.5 will be serialized as "1500m" - 1.5Gi will be serialized as "1536Mi"

    Note that the quantity will NEVER be internally represented by a floating
    point number. That is the whole point of this exercise.

    Non-canonical values will still parse as long as they are well formed, but
    will be re-emitted in their canonical form. (So always use canonical form,
    or don't diff.)

    This format is intended to make it difficult to use these numbers without
    writing some sort of special handling code in the hopes that that will cause
    implementors to also use a fixed point implementation.
[since 1.32]

$ kubectl explain configmap.data.mode
! error: field "mode" does not exist
KIND:       ConfigMap
VERSION:    v1
[exit 1]
[since 1.32]

$ kubectl explain pods --api-version=apps/v1
! error: GVR (apps/v1, Resource=pods) not found in OpenAPI schema
[exit 1]
[since 1.32]

$ kubectl explain pods --api-version=v7
! error: couldn't find resource for "/v7, Resource=pods"
[exit 1]
[since 1.32]

$ kubectl explain
! error: You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of supported resources.
[exit 1]

$ kubectl explain pods nodes
! error: We accept only this format: explain RESOURCE
[exit 1]

$ kubectl explain pods --output=nope
! error: unrecognized format: nope
[exit 1]
[since 1.32]

# What happened.

$ kubectl apply -f - <<END
> apiVersion: v1
> kind: Pod
> metadata: {name: talk}
> spec: {containers: [{name: talk, image: nginx}]}
> END
pod/talk created

$ kubectl wait --for=condition=Ready pod/talk --timeout=30s
pod/talk condition met

$ kubectl events --for pod/talk
LAST SEEN   TYPE     REASON      OBJECT     MESSAGE
0s          Normal   Scheduled   Pod/talk   Successfully assigned default/talk to k8s-node-2
0s          Normal   Pulling     Pod/talk   Pulling image "nginx"
0s          Normal   Pulled      Pod/talk   Successfully pulled image "nginx" in 201ms (201ms including waiting). Image size: 147315942 bytes.
0s          Normal   Created     Pod/talk   Container created
0s          Normal   Started     Pod/talk   Container started
[eventually]
[since 1.32]

$ kubectl events --for=pods/talk --types=Normal --no-headers -A | head -1
default   1s    Normal   Scheduled   Pod/talk   Successfully assigned default/talk to k8s-node-2
[since 1.32]

$ kubectl events --for pod/talk --types=Warning -A
! No events found.
[since 1.32]

$ kubectl events --for talk
! error: --for must be in resource/name form
[exit 1]
[since 1.32]

$ kubectl events --for nope/talk
! the server doesn't have a resource type "nope"
[exit 1]
[since 1.32]

$ kubectl events --types=Nope
! error: valid --types are Normal or Warning
[exit 1]
[since 1.32]

$ kubectl events --for pod/talk -o jsonpath='{.kind} {.items[*].reason}{"\n"}'
EventList Scheduled Pulling Pulled Created Started
[since 1.32]

$ { head -2; } < <(kubectl events --for pod/talk -w 2>/dev/null)
LAST SEEN   TYPE     REASON      OBJECT     MESSAGE
2s          Normal   Scheduled   Pod/talk   Successfully assigned default/talk to k8s-node-2
[since 1.32]

# What is waited for.

$ kubectl wait --for=jsonpath='{.status.phase}'=Running pod/talk
pod/talk condition met
[since 1.32]

$ kubectl wait --for=jsonpath='{.status.podIP}' pod/talk -o name
pod/talk
[since 1.32]

$ kubectl wait --for=create pod/talk
pod/talk condition met
[since 1.32]

$ kubectl wait --for=create pod/nope --timeout=1s
! error: timed out waiting for the condition
[exit 1]
[since 1.32]

$ kubectl wait --for=condition=Ready pods --all -A
pod/talk condition met
[since 1.32]

$ kubectl wait --for=condition=Nope pod/talk --timeout=0
! error: condition not met for pods/talk
[exit 1]
[since 1.32]

$ kubectl wait --for=jsonpath='{.status.phase}'= pod/talk
! error: jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3
[exit 1]
[since 1.32]

$ kubectl wait --for=jsonpath='{.spec.containers}'=talk pod/talk
! error: jsonpath leads to a nested object or list which is not supported
[exit 1]
[since 1.32]

$ kubectl wait --for=jsonpath='{.spec.tolerations[*].key}'=x pod/talk
! error: given jsonpath expression matches more than one value
[exit 1]
[since 1.32]

$ kubectl wait --for=colour=red pod/talk
! error: unrecognized condition: "colour=red"
[exit 1]

$ kubectl wait --for=condition=Ready
! error: You must provide one or more resources by argument or filename.
! Example resource specifications include:
!    '-f rsrc.yaml'
!    '--filename=rsrc.json'
!    '<resource> <name>'
!    '<resource>'
[exit 1]
[since 1.32]

# What may be done, and by whom.

$ kubectl auth can-i get pods/log -n kube-system
yes

$ kubectl auth can-i get /healthz
yes

$ kubectl auth can-i fly pods
! Warning: verb 'fly' is not a known verb
!
yes
[since 1.32]

$ kubectl auth can-i list nodes
! Warning: resource 'nodes' is not namespace scoped
!
yes
[since 1.32]

$ kubectl auth can-i get pods -q

$ kubectl auth can-i get
! error: you must specify two arguments: verb resource or verb resource/resourceName.
! See 'kubectl auth can-i -h' for help and examples.
[exit 1]
[since 1.32]

$ kubectl auth can-i --list get
! error: list option must be specified with no arguments
[exit 1]

$ kubectl auth can-i --list --no-headers
*.*   []    []    [*]
      [*]   []    [*]

$ kubectl auth whoami -o yaml
apiVersion: authentication.k8s.io/v1
kind: SelfSubjectReview
metadata:
  creationTimestamp: "2026-11-30T03:46:28Z"
status:
  userInfo:
    groups:
    - system:unauthenticated
    username: system:anonymous
[since 1.32]

$ kubectl auth whoami -o jsonpath='{.status.userInfo.groups[0]}{"\n"}'
system:unauthenticated
[since 1.32]

# Everything that may help.

$ kubectl cluster-info dump --namespaces=default | grep -c '"kind": ".*List"'
8

$ kubectl cluster-info dump --namespaces=default | grep '^=='
==== START logs for container talk of pod default/talk ====
==== END logs for container talk of pod default/talk ====

$ kubectl cluster-info dump --namespaces=default --output-directory=dumped -o yaml; ls dumped dumped/default
Cluster info dumped to dumped
dumped:
default
nodes.yaml

dumped/default:
daemonsets.yaml
deployments.yaml
events.yaml
pods.yaml
replicasets.yaml
replication-controllers.yaml
services.yaml
talk

# A file of one's own.

$ kubectl --kubeconfig=config config view
apiVersion: v1
clusters: null
contexts: null
current-context: ""
kind: Config
preferences: {}
users: null

$ kubectl --kubeconfig=config config get-contexts
CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE

$ kubectl --kubeconfig=config config current-context
! error: current-context is not set
[exit 1]

$ kubectl --kubeconfig=config config set-cluster far --server=https://10.0.0.1:6443 --insecure-skip-tls-verify
Cluster "far" set.

$ kubectl --kubeconfig=config config set-cluster far --certificate-authority=ca.crt --tls-server-name=far
Cluster "far" set.

$ kubectl --kubeconfig=config config set-credentials jane --token=secret
User "jane" set.
[since 1.32]

$ kubectl --kubeconfig=config config set-credentials joe --username=joe --password=secret
User "joe" set.
[since 1.32]

$ kubectl --kubeconfig=config config set-credentials joe --username=joe --token=x
! error: you cannot specify more than one authentication method at the same time: --token, --username/--password
[exit 1]

$ kubectl --kubeconfig=config config set-credentials bot --exec-command=login --exec-api-version=client.authentication.k8s.io/v1 --exec-arg=now --exec-env=A=b
User "bot" set.
[since 1.32]

$ kubectl --kubeconfig=config config set-context far --cluster=far --user=jane
Context "far" created.

$ kubectl --kubeconfig=config config set-context far --namespace=team
Context "far" modified.

$ kubectl --kubeconfig=config config set-context
! error: you must specify a non-empty context name or --current
[exit 1]

$ kubectl --kubeconfig=config config set-context --current --namespace=x
! error: no current context is set
[exit 1]

$ kubectl --kubeconfig=config config use-context nope
! error: no context exists with the name: "nope"
[exit 1]

$ kubectl --kubeconfig=config config use-context far
Switched to context "far".

$ kubectl --kubeconfig=config config current-context
far

$ kubectl --kubeconfig=config config get-contexts
CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE
*         far    far       jane       team

$ kubectl --kubeconfig=config config get-contexts far nope
! error: context nope not found
CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE
*         far    far       jane       team
[exit 1]

$ kubectl --kubeconfig=config config get-contexts -o name
far

$ kubectl --kubeconfig=config config get-clusters
NAME
far

$ kubectl --kubeconfig=config config get-users
NAME
bot
jane
joe
[since 1.32]

$ kubectl --kubeconfig=config config view
apiVersion: v1
clusters:
- cluster:
    certificate-authority: ca.crt
    server: https://10.0.0.1:6443
    tls-server-name: far
  name: far
contexts:
- context:
    cluster: far
    namespace: team
    user: jane
  name: far
current-context: far
kind: Config
preferences: {}
users:
- name: bot
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
      - now
      command: login
      env:
      - name: A
        value: b
      provideClusterInfo: false
- name: jane
  user:
    token: REDACTED
- name: joe
  user:
    password: REDACTED
    username: joe
[since 1.32]

$ kubectl --kubeconfig=config config view --raw -o json
{
    "kind": "Config",
    "apiVersion": "v1",
    "preferences": {},
    "clusters": [
        {
            "name": "far",
            "cluster": {
                "server": "https://10.0.0.1:6443",
                "tls-server-name": "far",
                "certificate-authority": "ca.crt"
            }
        }
    ],
    "users": [
        {
            "name": "bot",
            "user": {
                "exec": {
                    "command": "login",
                    "args": [
                        "now"
                    ],
                    "env": [
                        {
                            "name": "A",
                            "value": "b"
                        }
                    ],
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "provideClusterInfo": false
                }
            }
        },
        {
            "name": "jane",
            "user": {
                "token": "secret"
            }
        },
        {
            "name": "joe",
            "user": {
                "username": "joe",
                "password": "secret"
            }
        }
    ],
    "contexts": [
        {
            "name": "far",
            "context": {
                "cluster": "far",
                "user": "jane",
                "namespace": "team"
            }
        }
    ],
    "current-context": "far"
}
[since 1.32]

$ kubectl --kubeconfig=config config view --minify -o jsonpath='{.users[*].name} {.users[0].user.token}{"\n"}'
jane REDACTED
[since 1.32]

$ kubectl --kubeconfig=config config rename-context far near
Context "far" renamed to "near".

$ kubectl --kubeconfig=config config rename-context nope x
! error: cannot rename the context "nope", it's not in config
[exit 1]

$ kubectl --kubeconfig=config config set-context --current --namespace=other
Context "near" modified.

$ kubectl --kubeconfig=config config set contexts.near.user joe
Property "contexts.near.user" set.

$ kubectl --kubeconfig=config config set clusters.far.server https://10.0.0.2
Property "clusters.far.server" set.

$ kubectl --kubeconfig=config config set nope.x y
! error: unable to parse nope.x after [] at api.Config
[exit 1]

$ kubectl --kubeconfig=config config unset users.bot
Property "users.bot" unset.

$ kubectl --kubeconfig=config config unset nope
! error: unable to parse nope after [] at api.Config
[exit 1]

$ kubectl --kubeconfig=config config view --minify
apiVersion: v1
clusters:
- cluster:
    certificate-authority: ca.crt
    server: https://10.0.0.2
    tls-server-name: far
  name: far
contexts:
- context:
    cluster: far
    namespace: other
    user: joe
  name: near
current-context: near
kind: Config
preferences: {}
users:
- name: joe
  user:
    password: REDACTED
    username: joe
[since 1.32]

$ kubectl --kubeconfig=config config delete-user nope
! error: cannot delete user nope, not in config
[exit 1]

$ kubectl --kubeconfig=config config delete-user joe
deleted user joe from config
[since 1.32]

$ kubectl --kubeconfig=config config delete-cluster far
deleted cluster far from config

$ kubectl --kubeconfig=config config delete-context nope
! error: cannot delete context nope, not in config
[exit 1]

$ kubectl --kubeconfig=config config delete-context near
! warning: this removed your active context, use "kubectl config use-context" to select a different one
deleted context near from config

$ kubectl --kubeconfig=config config unset current-context
Property "current-context" unset.

$ kubectl --kubeconfig=config config current-context
! error: current-context is not set
[exit 1]

$ kubectl --kubeconfig=config config view
apiVersion: v1
clusters: null
contexts: null
current-context: ""
kind: Config
preferences: {}
users:
- name: jane
  user:
    token: REDACTED
[since 1.32]
