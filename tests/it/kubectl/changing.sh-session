# Objects that are there already, changed field by field; and all that can be wrong with that.

$ cat >web.yaml <<END
> apiVersion: apps/v1
> kind: Deployment
> metadata: {name: web, labels: {app: web}}
> spec:
>   replicas: 2
>   selector: {matchLabels: {app: web}}
>   template:
>     metadata: {labels: {app: web}}
>     spec:
>       containers:
>       - {name: nginx, image: 'nginx:1.7.9', ports: [{containerPort: 80}]}
> ---
> apiVersion: apps/v1
> kind: Deployment
> metadata: {name: cache, labels: {app: cache}}
> spec:
>   selector: {matchLabels: {app: cache}}
>   template:
>     metadata: {labels: {app: cache}}
>     spec:
>       initContainers:
>       - {name: first, image: busybox, command: [sh, -c, 'exit 0']}
>       containers:
>       - {name: redis, image: redis}
> ---
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: settings}
> data: {log.level: debug}
> ---
> apiVersion: v1
> kind: Secret
> metadata: {name: keys}
> data: {password: c2VjcmV0}
> END

$ kubectl apply -f web.yaml
deployment.apps/web created
deployment.apps/cache created
configmap/settings created
secret/keys created

# Labels.

$ kubectl label deploy/web tier=front
deployment.apps/web labeled

$ kubectl label deploy/web tier=front
deployment.apps/web not labeled
[since 1.32]

$ kubectl label deploy/web tier=back
! error: 'tier' already has a value (front), and --overwrite is false
[exit 1]

$ kubectl label deploy/web tier=back --overwrite
deployment.apps/web labeled

$ kubectl label deploy web cache app=other
! 'app' already has a value (web), and --overwrite is false
! 'app' already has a value (cache), and --overwrite is false
[exit 1]

$ kubectl label deploy --all team=a
deployment.apps/cache labeled
deployment.apps/web labeled

$ kubectl label deploy -l app=cache team=b --overwrite
deployment.apps/cache labeled

$ kubectl label deploy web cache --list | sort
 app=cache
 app=web
 team=a
 team=b
 tier=back
Listing labels for Deployment.apps/cache:
Listing labels for Deployment.apps/web:

$ kubectl label deploy/cache --list | sort
app=cache
team=b

$ kubectl label deploy/web team- nope-
label "nope" not found.
deployment.apps/web unlabeled
[since 1.32]

$ kubectl label deploy/web team-
label "team" not found.
deployment.apps/web not labeled

$ kubectl label deploy/web new=1 --dry-run=client
deployment.apps/web labeled (dry run)
[since 1.32]

$ kubectl label deploy/web new=1 --dry-run=server
deployment.apps/web labeled (server dry run)
[since 1.32]

$ kubectl label deploy/web new=1 -o name
deployment.apps/web

$ kubectl label -f web.yaml new=2 --overwrite
deployment.apps/web labeled
deployment.apps/cache labeled
configmap/settings labeled
secret/keys labeled

$ kubectl label -f web.yaml --local kept=here -o yaml | head -10
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app: web
    kept: here
  name: web
spec:
  replicas: 2
  selector:

$ kubectl label deploy/web new=3 --overwrite --resource-version=1
! Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again
[exit 1]

$ kubectl label deploy web cache new=3 --overwrite --resource-version=1
! error: --resource-version may only be used with a single resource
[exit 1]

$ kubectl label deploy/web
! error: at least one label update is required
[exit 1]

$ kubectl label a=b
! error: one or more resources must be specified as <resource> <name> or <resource>/<name>
[exit 1]

$ kubectl label deploy a=b
! error: resource(s) were provided, but no name was specified
[exit 1]
[since 1.32]

$ kubectl label deploy/web a=b c
! error: all resources must be specified before label changes: c
[exit 1]

$ kubectl label deploy/web a=b=c
! error: invalid label spec: a=b=c
[exit 1]

$ kubectl label deploy/web a=-b
! error: invalid label value: "a=-b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
[exit 1]

$ kubectl label deploy/web a=b a-
! error: can not both modify and remove a label in the same command
[exit 1]

$ kubectl label deploy/web 'bad key=x'
! The Deployment "web" is invalid: metadata.labels: Invalid value: "bad key": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
[exit 1]

$ kubectl label deploy --all -l app=web a=b
! error: cannot set --all and --selector at the same time
[exit 1]

$ kubectl label deploy/web deploy/nope a=b
! Error from server (NotFound): deployments.apps "nope" not found
deployment.apps/web labeled
[exit 1]

$ kubectl label pods -l app=nothing a=b

$ kubectl label nosuch x a=b
! error: the server doesn't have a resource type "nosuch"
[exit 1]

# Annotations.

$ kubectl annotate deploy/web a=b
deployment.apps/web annotated

$ kubectl annotate deploy/web a=b
deployment.apps/web annotated
[since 1.32]

$ kubectl annotate deploy/web a=c
! error: --overwrite is false but found the following declared annotation(s): 'a' already has a value (b)
[exit 1]

$ kubectl annotate deploy/web a=c 'b=x=y z' --overwrite
deployment.apps/web annotated

$ kubectl annotate deploy/web b=d kubernetes.io/change-cause=none
! error: --overwrite is false but found the following declared annotation(s): 'b' already has a value (x=y z)
[exit 1]

$ kubectl annotate deploy/web a- b- c-
deployment.apps/web annotated

$ kubectl annotate deploy web cache kubernetes.io/change-cause='by hand'
deployment.apps/web annotated
deployment.apps/cache annotated

$ kubectl annotate deploy web kubernetes.io/change-cause='by hand again'
deployment.apps/web annotated

$ kubectl annotate deploy/cache --list | grep -v applied | sort

deployment.kubernetes.io/revision=1
kubernetes.io/change-cause=by hand

$ kubectl annotate deploy/web a=b a-
! error: can not both modify and remove the following annotation(s) in the same command: a
[exit 1]

$ kubectl annotate deploy/web
! error: at least one annotation update is required
[exit 1]

$ kubectl annotate deploy/nope a=b
! Error from server (NotFound): deployments.apps "nope" not found
[exit 1]

# Images.

$ kubectl set image deploy/web nginx=nginx:1.9.1
deployment.apps/web image updated

$ kubectl set image deploy/web nginx=nginx:1.9.1

$ kubectl set image deploy/web nginx=nginx:1.9.2 nope=x
! error: unable to find container named "nope"
deployment.apps/web image updated
[exit 1]

$ kubectl set image deploy --all '*=nginx:1.25' --dry-run=server
deployment.apps/cache image updated (server dry run)
deployment.apps/web image updated (server dry run)

$ kubectl set image deploy/cache first=busybox:1.36
deployment.apps/cache image updated

$ kubectl set image deploy/web '*=a' nginx=b
! error: all containers are already specified by *, but saw more than one container_name=container_image pairs
[exit 1]

$ kubectl set image deploy/web
! error: at least one image update is required
[exit 1]

$ kubectl set image
! error: You must provide one or more resources by argument or filename.
! Example resource specifications include:
!    '-f rsrc.yaml'
!    '--filename=rsrc.json'
!    '<resource> <name>'
!    '<resource>'
[exit 1]

$ kubectl set image deploy/web nginx=
! error: failed to patch image update to pod template: Deployment.apps "web" is invalid: spec.template.spec.containers[0].image: Required value
[exit 1]

$ kubectl set image deploy/web nginx=a web
! error: all resources must be specified before image changes: web
[exit 1]

$ kubectl set image configmap/settings a=b
! error: configmaps/settings the object is not a pod or does not have a pod template: *v1.ConfigMap
[exit 1]

$ kubectl set image deploy/nope a=b
! Error from server (NotFound): deployments.apps "nope" not found
[exit 1]

$ kubectl set image deploy/web nginx=a --local
! error: you must specify resources by --filename when --local is set.
! Example resource specifications include:
!    '-f rsrc.yaml'
!    '--filename=rsrc.json'
[exit 1]

$ kubectl set image -f web.yaml nginx=a --local --dry-run=server
! error: cannot specify --local and --dry-run=server - did you mean --dry-run=client?
[exit 1]

# Variables.

$ kubectl set env deploy/web MODE=fast LEVEL=3
deployment.apps/web env updated

$ kubectl set env deploy/web MODE=fast

$ kubectl set env deploy/web MODE=slow --overwrite=false
! error: deployments/web 'MODE' already has a value (fast), and --overwrite is false
[exit 1]

$ kubectl set env deploy/web --from=configmap/settings --prefix=APP_
! Warning: key log.level transferred to LOG_LEVEL
deployment.apps/web env updated
[since 1.32]

$ kubectl set env deploy/web --from=secret/keys
! Warning: key password transferred to PASSWORD
deployment.apps/web env updated
[since 1.32]

$ kubectl set env deploy/web -e LAST=1 LEVEL- --dry-run=client
deployment.apps/web env updated (dry run)

$ kubectl set env deploy/web -e LAST=1 LEVEL-
deployment.apps/web env updated

$ kubectl set env deploy/web deploy/cache --list
# Deployment web, container nginx
MODE=fast
# APP_LOG_LEVEL from configmap settings, key log.level
# PASSWORD from secret keys, key password
LAST=1
# Deployment cache, container redis
# Deployment cache, container first
[since 1.32]

$ kubectl set env deploy/web --list --resolve
# Deployment web, container nginx
MODE=fast
APP_LOG_LEVEL=debug
PASSWORD=secret
LAST=1

$ kubectl set env deploy/web -c 'ng*' LAST-
deployment.apps/web env updated

$ kubectl set env deploy/web -c nope LAST=2
! Warning: Deployment/web does not have any containers matching "nope"
[since 1.32]

$ echo FROM_STDIN=1 | kubectl set env deploy/web -
deployment.apps/web env updated

$ kubectl set env deploy/web --from=configmap/nope
! Error from server (NotFound): configmaps "nope" not found
[exit 1]

$ kubectl set env deploy/web --from=deploy/web
! error: unsupported resource specified in --from
[exit 1]

$ kubectl set env deploy/web --keys=a
! error: when specifying --keys, a configmap or secret must be provided with --from
[exit 1]

$ kubectl set env deploy/web A=1 A-
! error: can not both modify and remove the same environment variable in the same command
[exit 1]

$ kubectl set env deploy/web 'A B=1'
! error: "A B" is not a valid key name: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')
[exit 1]
[since 1.32]

$ kubectl set env A=1
! error: one or more resources must be specified as <resource> <name> or <resource>/<name>
[exit 1]

$ kubectl set env deploy/web A=1 x
! error: all resources must be specified before environment changes: deploy/web A=1 x
[exit 1]

# Resources, accounts, selectors, subjects.

$ kubectl set resources deploy/web --limits=cpu=200m,memory=1024Mi --requests=cpu=100m
deployment.apps/web resource requirements updated

$ kubectl set resources deploy/web --limits=cpu=200m

$ kubectl set resources deploy/web -c nope --limits=cpu=1
! error: unable to find container named nope
[exit 1]

$ kubectl set resources deploy/web
! error: you must specify an update to requests or limits (in the form of --requests/--limits)
[exit 1]

$ kubectl set resources deploy/web --limits=cpu
! error: Invalid argument syntax cpu, expected <resource>=<value>
[exit 1]

$ kubectl set resources deploy/web --requests=cpu=2
! error: failed to patch resources update to pod template Deployment.apps "web" is invalid: spec.template.spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 200m
[exit 1]

$ kubectl set serviceaccount deploy/web robot --dry-run=server
deployment.apps/web serviceaccount updated (server dry run)

$ kubectl set sa deploy/web
! error: You must provide one or more resources by argument or filename.
! Example resource specifications include:
!    '-f rsrc.yaml'
!    '--filename=rsrc.json'
!    '<resource> <name>'
!    '<resource>'
[exit 1]

$ kubectl set serviceaccount
! error: serviceaccount is required
[exit 1]

$ kubectl set selector service kubernetes app=web --dry-run=client
service/kubernetes selector updated (dry run)

$ kubectl set selector service kubernetes 'app in (a,b)'
! error: match expression [{app In [a b]}] not supported on this object
[exit 1]

$ kubectl set selector deploy/web app=web
! error: setting a selector is only supported for Services
[exit 1]

$ kubectl set subject deploy/web --user=me
! error: deployments/web setting subjects is only supported for RoleBinding/ClusterRoleBinding
[exit 1]

$ kubectl set subject deploy/web --serviceaccount=me
! error: serviceaccount must be <namespace>:<name>
[exit 1]

# The command line as the cause of a change.

$ kubectl set image deploy/web nginx=nginx:1.25 --record
! Flag --record has been deprecated, --record will be removed in the future
deployment.apps/web image updated
[since 1.32]

$ kubectl label deploy/web app.kubernetes.io/part-of=shop --record=true
! Flag --record has been deprecated, --record will be removed in the future
deployment.apps/web labeled
[since 1.32]

$ kubectl scale --record deploy/web --replicas=1
! Flag --record has been deprecated, --record will be removed in the future
deployment.apps/web scaled
[since 1.32]

$ kubectl annotate deploy web --list | grep change-cause
kubernetes.io/change-cause=kubectl scale deploy/web --record=true --replicas=1

# Rollouts of other kinds.

$ cat >others.yaml <<END
> apiVersion: apps/v1
> kind: DaemonSet
> metadata: {name: agent}
> spec:
>   selector: {matchLabels: {app: agent}}
>   template:
>     metadata: {labels: {app: agent}}
>     spec:
>       containers: [{name: c, image: 'nginx:1', env: [{name: A, value: b}]}]
>       volumes: [{name: v, emptyDir: {}}]
> ---
> apiVersion: apps/v1
> kind: StatefulSet
> metadata: {name: db}
> spec:
>   serviceName: db
>   replicas: 2
>   selector: {matchLabels: {app: db}}
>   template:
>     metadata: {labels: {app: db}}
>     spec:
>       containers: [{name: c, image: 'nginx:1'}]
> END

$ kubectl apply -f others.yaml
daemonset.apps/agent created
statefulset.apps/db created

$ kubectl rollout status -f others.yaml | grep -v ^Waiting
daemon set "agent" successfully rolled out
partitioned roll out complete: 2 new pods have been updated...
[since 1.32]

$ kubectl rollout undo ds/agent
! error: no last revision to roll back to
[exit 1]

$ kubectl set image ds/agent sts/db c=nginx:2
daemonset.apps/agent image updated
statefulset.apps/db image updated

$ kubectl rollout status ds/agent | tail -1
daemon set "agent" successfully rolled out

$ kubectl rollout status sts/db | tail -1
partitioned roll out complete: 2 new pods have been updated...

$ kubectl rollout history ds/agent sts/db
daemonset.apps/agent
REVISION  CHANGE-CAUSE
1         <none>
2         <none>

statefulset.apps/db
REVISION  CHANGE-CAUSE
1         <none>
2         <none>

$ kubectl rollout history ds/agent --revision=1
daemonset.apps/agent with revision #1
Pod Template:
  Labels:	app=agent
  Containers:
   c:
    Image:	nginx:1
    Port:	<none>
    Host Port:	<none>
    Environment:
      A:	b
    Mounts:	<none>
  Volumes:
   v:
    Type:	EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:
    SizeLimit:	<unset>
  Node-Selectors:	<none>
  Tolerations:	<none>
[since 1.32]

$ kubectl rollout history sts/db --revision=3
! error: unable to find the specified revision
[exit 1]

$ kubectl rollout history ds/agent -o name
daemonset.apps/agent
daemonset.apps/agent
[since 1.32]

$ kubectl rollout undo ds/agent --dry-run=client
daemonset.apps/agent will roll back to Pod Template:
  Labels:	app=agent
  Containers:
   c:
    Image:	nginx:1
    Port:	<none>
    Host Port:	<none>
    Environment:
      A:	b
    Mounts:	<none>
  Volumes:
   v:
    Type:	EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:
    SizeLimit:	<unset>
  Node-Selectors:	<none>
  Tolerations:	<none>
 (dry run)
[since 1.32]

$ kubectl rollout undo ds/agent sts/db
daemonset.apps/agent rolled back
statefulset.apps/db rolled back

$ kubectl rollout history ds/agent
daemonset.apps/agent
REVISION  CHANGE-CAUSE
2         <none>
3         <none>

$ kubectl rollout undo sts/db --to-revision=9
! error: unable to find specified revision 9 in history
[exit 1]

$ kubectl rollout restart ds/agent sts/db
daemonset.apps/agent restarted
statefulset.apps/db restarted

$ kubectl rollout pause ds/agent
! error: daemonsets.apps "agent" pausing is not supported
[exit 1]

$ kubectl rollout pause deploy web cache
deployment.apps/web paused
deployment.apps/cache paused

$ kubectl rollout restart deploy
! error: deployments.apps "cache" can't restart paused deployment (run rollout resume first)
! error: deployments.apps "web" can't restart paused deployment (run rollout resume first)
[exit 1]

$ kubectl rollout resume deploy -l app=web
deployment.apps/web resumed
[since 1.32]

$ kubectl rollout resume deploy
! error: deployments.apps "web" is not paused
deployment.apps/cache resumed
[exit 1]
[since 1.32]

$ kubectl rollout status configmap/settings
! error: no status viewer has been implemented for ConfigMap
[exit 1]

$ kubectl rollout history rs -l app=nothing
[since 1.32]

$ kubectl rollout history configmap/settings
! error: error retrieving history for "ConfigMap", no visitor method exists for { ConfigMap}
[exit 1]

$ kubectl rollout undo configmap/settings
! error: error retrieving rollbacker for "ConfigMap", no visitor method exists for { ConfigMap}
[exit 1]

$ kubectl rollout status
! error: required resource not specified
[exit 1]

$ kubectl rollout status deploy -l app=nothing
! No resources found in default namespace.
[since 1.32]

$ kubectl rollout history deploy/web --revision=-1
! error: revision must be a positive integer: -1
[exit 1]

# Taints of many nodes, and draining them.

$ kubectl taint node --all a=b:NoSchedule c:PreferNoSchedule
node/k8s-node-1 tainted
node/k8s-node-2 tainted
node/k8s-node-3 tainted

$ kubectl taint node k8s-node-1 k8s-node-2 c- d:NoSchedule
node/k8s-node-1 modified
node/k8s-node-2 modified

$ kubectl taint node -l kubernetes.io/hostname=k8s-node-3 a:NoSchedule- c-
node/k8s-node-3 untainted

$ kubectl taint node k8s-node-3 a:NoSchedule- z-
! taint "a:NoSchedule" not found
! taint "z" not found
[exit 1]

$ kubectl taint node --all a- -o name
! error: taint "a" not found
node/k8s-node-1
node/k8s-node-2
[exit 1]

$ kubectl taint node k8s-node-1 k8s-node-2 a- c-
! [taint "a" not found, taint "c" not found]
! [taint "a" not found, taint "c" not found]
[exit 1]

$ kubectl taint node k8s-node-1 k8s-node-2 c- d-
! taint "c" not found
! taint "c" not found
[exit 1]

$ kubectl taint node
! error: at least one taint update is required
[exit 1]

$ kubectl taint node a=b:NoSchedule
! error: at least one resource name must be specified since 'all' parameter is not set
[exit 1]

$ kubectl taint deploy web a=b:NoSchedule
! error: invalid resource type deploy, only node types are supported
[exit 1]

$ kubectl taint node k8s-node-1 a=b
! error: invalid taint spec: a=b, name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
! See 'kubectl taint -h' for help and examples
[exit 1]

$ kubectl taint node k8s-node-1 a=b:NoSchedule a=c:NoSchedule
! error: duplicated taints with the same key and effect: {a c NoSchedule <nil>}
! See 'kubectl taint -h' for help and examples
[exit 1]

$ kubectl taint node k8s-node-1 a=b:NoSchedule a-
! error: can not both modify and remove the following taint(s) in the same command: a=
[exit 1]
[since 1.32]

$ kubectl cordon -l kubernetes.io/hostname=k8s-node-2
node/k8s-node-2 cordoned

$ kubectl cordon k8s-node-1 k8s-node-2
node/k8s-node-1 cordoned
node/k8s-node-2 already cordoned

$ kubectl uncordon k8s-node-1 --dry-run=client
node/k8s-node-1 uncordoned (dry run)

$ kubectl uncordon k8s-node-1 k8s-node-2
node/k8s-node-1 uncordoned
node/k8s-node-2 uncordoned

$ kubectl cordon
! error: USAGE: cordon NODE [flags]
! See 'kubectl cordon -h' for help and examples
[exit 1]

$ kubectl cordon k8s-node-1 -l a=b
! error: cannot specify both a node name and a --selector option
! See 'kubectl cordon -h' for help and examples
[exit 1]

$ kubectl drain k8s-node-1 nope
! Error from server (NotFound): nodes "nope" not found
[exit 1]

$ kubectl drain k8s-node-1 --pod-selector='!!'
! error: --pod-selector=<pod_selector> must be a valid label selector
[exit 1]

$ kubectl drain k8s-node-1 --pod-selector=app=agent
! error: unable to drain node "k8s-node-1" due to error: cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/agent-w5gjs, continuing command...
! There are pending nodes to be drained:
!  k8s-node-1
! cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/agent-w5gjs
node/k8s-node-1 cordoned
[exit 1]
[since 1.32]

$ kubectl drain k8s-node-1 --ignore-daemonsets --pod-selector=app=agent
! Warning: ignoring DaemonSet-managed Pods: default/agent-w5gjs
node/k8s-node-1 already cordoned
node/k8s-node-1 drained
[since 1.32]

$ kubectl delete ds agent --cascade=foreground
daemonset.apps "agent" deleted

$ kubectl drain k8s-node-1 k8s-node-2 --pod-selector=app=db --dry-run=server | grep -v ^evicting
node/k8s-node-1 already cordoned (server dry run)
node/k8s-node-2 cordoned (server dry run)
node/k8s-node-1 drained (server dry run)
node/k8s-node-2 drained (server dry run)
[since 1.32]

$ kubectl uncordon -l kubernetes.io/os=linux
node/k8s-node-1 uncordoned
node/k8s-node-2 already uncordoned
node/k8s-node-3 already uncordoned

# Scaling.

$ kubectl scale deploy/web --replicas=3 --dry-run=client
deployment.apps/web scaled (dry run)
[since 1.32]

$ kubectl scale deploy/web --replicas=3 --dry-run=server
deployment.apps/web scaled (server dry run)
[since 1.32]

$ kubectl scale deploy/web --replicas=3 --timeout=20s
deployment.apps/web scaled

$ kubectl scale deploy web cache --replicas=1
deployment.apps/web scaled
deployment.apps/cache scaled

$ kubectl scale deploy web nope --replicas=1
! Error from server (NotFound): deployments.apps "nope" not found
deployment.apps/web scaled
[exit 1]

$ kubectl scale deploy nope none --replicas=1
! error: no objects passed to scale [deployments.apps "nope" not found, deployments.apps "none" not found]
[exit 1]
[since 1.32]

$ kubectl scale configmap/settings --replicas=1
! Error from server (NotFound): the server could not find the requested resource
[exit 1]

$ kubectl scale deploy/web --replicas=-1
! error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0
[exit 1]

$ kubectl scale deploy/web --current-replicas=-2 --replicas=1
! error: The --current-replicas must specify an integer of -1 or greater
[exit 1]
[since 1.32]

$ kubectl scale --replicas=1
! error: You must provide one or more resources by argument or filename.
! Example resource specifications include:
!    '-f rsrc.yaml'
!    '--filename=rsrc.json'
!    '<resource> <name>'
!    '<resource>'
[exit 1]
