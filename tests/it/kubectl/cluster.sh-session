# What only mini-ctl can do: a cluster, its programs and its nodes.

$ mini-ctl status | awk '{ print $1, $2 }'
API server:
Kubeconfig: /tmp/.tmpQo9nb6/kubeconfig

COMPONENT STATUS
apiserver Running
scheduler Running
controllers Running
k8s-node-1 Running
k8s-node-2 Running
k8s-node-3 Running

$ mini-ctl up
! error: a cluster is already running in /tmp/.tmpQo9nb6 (apiserver, scheduler, controllers, k8s-node-1, k8s-node-2, k8s-node-3): use it, look at it with `mini-ctl status`, end it with `mini-ctl down`, or start another one with --data-dir DIR --port 0
[exit 1]

$ mini-ctl stop scheduler
scheduler stopped

$ mini-ctl stop scheduler
scheduler is not running

$ mini-ctl start scheduler
scheduler started (pid 10345)

$ mini-ctl start scheduler
scheduler is already running (pid 10345)

$ mini-ctl stop schedular
! error: there is no component "schedular"; there are: apiserver, scheduler, controllers, k8s-node-1, k8s-node-2, k8s-node-3
[exit 1]

# A node that is cut off runs, and nobody hears of it.

$ mini-ctl node down k8s-node-2
node/k8s-node-2 cut off

$ mini-ctl node down k8s-node-2
node/k8s-node-2 is already cut off

$ mini-ctl status | awk '/^k8s/ { print $1, $2, $3 }' | sed 's/ [0-9]*$//'
k8s-node-1 Running
k8s-node-2 Cut off
k8s-node-3 Running

$ mini-ctl node up node/k8s-node-2
node/k8s-node-2 plugged in

$ mini-ctl node up k8s-node-2
node/k8s-node-2 is already plugged in

$ mini-ctl node down k8s-node-9
! error: there is no node "k8s-node-9" here; there are: k8s-node-1, k8s-node-2, k8s-node-3
[exit 1]

$ mini-ctl node sideways k8s-node-1
! error: unknown command "sideways" for "mini-ctl node"
[exit 1]

$ mini-ctl stop k8s-node-3
k8s-node-3 stopped

$ mini-ctl node down k8s-node-3
! error: the kubelet of k8s-node-3 does not run: `mini-ctl start k8s-node-3` starts it
[exit 1]

# The labs.

$ mini-ctl lab list
LAB                     WHAT IS LEARNT
architecture            which process does what: take them away, one by one
create-flow             what happens between apply and a running pod, and who does it
imperative              run, create, replace, edit, patch, and why apply is better
troubleshooting         get, describe, logs, then exec and cp
pod-phases              Pending, Running, Completed, Error, CrashLoopBackOff and others, and where the reason stands
labels                  keys and values on objects, and the selectors that find them
namespaces              names that are unique only within; isolation; deleting all at once
scale                   more and fewer pods, by the file and by a command
replicationcontroller   what ReplicaSets were before; which pods are its own
rolling-update          a new image, a few pods at a time; and one that cannot be pulled
rollback                revisions: rollout history, undo, pause, resume, restart
failover                a node is lost, and its pods come up on the other
placement               which node a pod goes to: labels, nodeSelector, nodeName
daemonset               one pod on each node, new nodes too; what it does not take; a new version, node by node
statefulset             pods that keep their names; in order up, in reverse down; an update tried on one
job                     work that has an end: one pod, several at a time, and pods that fail
cronjob                 a Job at every time of a schedule
init-containers         what must be done before a pod's containers start
startup-probe           slow starters are left alone until they are there
liveness                containers that run and yet are dead are restarted
readiness               pods that cannot serve get no requests
lifecycle-hooks         commands after the start and before the end of a container
host-aliases            names in /etc/hosts, and who writes that file
shared-pid              containers of a pod that see each other's processes
services                one address for pods that come and go: ClusterIP, NodePort, LoadBalancer, and their endpoints
kube-proxy              the rules that lead from a Service's address to a pod
ingress                 one door for many Services, by host and path
autoscaling             what pods use, and as many of them as it takes

$ mini-ctl lab check scale
[ ] The Deployment was scaled to one pod, which is ready: it is not there
[ ] Nothing else was changed: it is still the first revision: it is not there
0 of 2 goals are reached.
[exit 1]

$ mini-ctl lab check nothing
! error: there is no lab "nothing"; `mini-ctl lab list` shows them
[exit 1]

$ mini-ctl lab start scale --folder here
A cluster is running already in /tmp/.tmpQo9nb6. This lab expects `mini-ctl up --nodes 2`.

The files of the lab are in here; here/README.md says what to type.

The goals:
  - The Deployment was scaled to one pod, which is ready
  - Nothing else was changed: it is still the first revision

`mini-ctl lab check scale` tells what is still missing.

$ ls here
README.md
nginx.yml

$ mini-ctl lab start scale --folder here
! error: here is there already: remove it, or choose another with --folder
[exit 1]

# Who did what when.

$ mini-ctl trace deployment/none
! Error from server (NotFound): deployments.apps "none" not found
[exit 1]

$ mini-ctl trace deployment
! error: name the one object whose story is to be told, such as deployment/web
[exit 1]

$ mini-ctl trace pods --all-namespaces
! error: unknown flag: --all-namespaces
! See 'mini-ctl trace --help' for usage.
[exit 1]

$ mini-ctl create configmap settings --from-literal=color=blue
configmap/settings created

$ mini-ctl trace configmap settings | sed 's/[0-9][0-9.]*//g'
configmap/settings was ready  ms after it was asked for:  writes, revisions  to

 The request, and what controllers make of it
MS   REVISION  WHO             WHAT
          kubectl-create  created configmap/settings

# A page to look at, and the rules of the proxies.

$ mini-ctl dashboard
http://127.0.0.1:20678/dashboard

$ mini-ctl proxy rules nothing
! Error from server (NotFound): services "nothing" not found
[exit 1]

$ mini-ctl fly
! error: unknown command "fly" for "mini-ctl"
[exit 1]

$ mini-ctl get pods --fly
! error: unknown flag: --fly
! See 'mini-ctl get --help' for usage.
[exit 1]

$ mini-ctl down
The cluster is down. Its state is kept in /tmp/.tmpQo9nb6: `mini-ctl up` brings it back.

$ mini-ctl get pods
! The connection to the server 127.0.0.1:20678 was refused - did you specify the right host or port? (if it should be the local cluster: start it with `mini-ctl up`)
[exit 1]
