# Making objects without a manifest, and deleting them: what each flag does.

# What flags alone can make: shown, and not sent.

$ kubectl create namespace team --dry-run=client -o yaml
apiVersion: v1
kind: Namespace
metadata:
  creationTimestamp: null
  name: team
spec: {}
status: {}
[since 1.32]

$ kubectl create serviceaccount robot -n team --dry-run=client -o yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  creationTimestamp: null
  name: robot
  namespace: team
[since 1.32]

$ kubectl create deployment web --image=nginx:1.25 --image=example.com/log-tail --replicas=3 --port=80 --dry-run=client -o yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  creationTimestamp: null
  labels:
    app: web
  name: web
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  strategy: {}
  template:
    metadata:
      creationTimestamp: null
      labels:
        app: web
    spec:
      containers:
      - image: nginx:1.25
        name: nginx
        ports:
        - containerPort: 80
        resources: {}
      - image: example.com/log-tail
        name: log-tail
        resources: {}
status: {}
[since 1.32]

$ kubectl create deployment web --image=nginx --image=busybox --dry-run=client -- sleep 5
! error: cannot specify multiple --image options and command
[exit 1]
[since 1.32]

$ kubectl create job once --image=busybox --dry-run=client -o yaml -- sleep 5
apiVersion: batch/v1
kind: Job
metadata:
  creationTimestamp: null
  name: once
spec:
  template:
    metadata:
      creationTimestamp: null
    spec:
      containers:
      - command:
        - sleep
        - "5"
        image: busybox
        name: once
        resources: {}
      restartPolicy: Never
status: {}
[since 1.32]

$ kubectl create cronjob tick --image=busybox --schedule='0 0 1 1 *' --dry-run=client -o yaml -- date
apiVersion: batch/v1
kind: CronJob
metadata:
  creationTimestamp: null
  name: tick
spec:
  jobTemplate:
    metadata:
      creationTimestamp: null
      name: tick
    spec:
      template:
        metadata:
          creationTimestamp: null
        spec:
          containers:
          - command:
            - date
            image: busybox
            name: tick
            resources: {}
          restartPolicy: OnFailure
  schedule: 0 0 1 1 *
status: {}
[since 1.32]

$ kubectl create service clusterip web --tcp=80 --tcp=443:https,53:5353 --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  labels:
    app: web
  name: web
spec:
  ports:
  - name: "80"
    port: 80
    protocol: TCP
    targetPort: 80
  - name: 443-https
    port: 443
    protocol: TCP
    targetPort: https
  - name: 53-5353
    port: 53
    protocol: TCP
    targetPort: 5353
  selector:
    app: web
  type: ClusterIP
status:
  loadBalancer: {}
[since 1.32]

$ kubectl create service clusterip web --clusterip=None --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  labels:
    app: web
  name: web
spec:
  clusterIP: None
  selector:
    app: web
  type: ClusterIP
status:
  loadBalancer: {}
[since 1.32]

$ kubectl create service nodeport web --tcp=80:8080 --node-port=30123 --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  labels:
    app: web
  name: web
spec:
  ports:
  - name: 80-8080
    nodePort: 30123
    port: 80
    protocol: TCP
    targetPort: 8080
  selector:
    app: web
  type: NodePort
status:
  loadBalancer: {}
[since 1.32]

$ kubectl create service externalname out --external-name=example.com --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  labels:
    app: out
  name: out
spec:
  externalName: example.com
  selector:
    app: out
  type: ExternalName
status:
  loadBalancer: {}
[since 1.32]

$ kubectl create ingress front --rule='example.com/shop*=web:80,tls=cert' --rule='example.com/=web:http' --rule='/=web:80' --default-backend=web:80 --annotation=a=b --class=main --dry-run=client -o yaml
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  annotations:
    a: b
  creationTimestamp: null
  name: front
spec:
  defaultBackend:
    service:
      name: web
      port:
        number: 80
  ingressClassName: main
  rules:
  - host: example.com
    http:
      paths:
      - backend:
          service:
            name: web
            port:
              number: 80
        path: /shop
        pathType: Prefix
      - backend:
          service:
            name: web
            port:
              name: http
        path: /
        pathType: Exact
  - http:
      paths:
      - backend:
          service:
            name: web
            port:
              number: 80
        path: /
        pathType: Exact
  tls:
  - hosts:
    - example.com
    secretName: cert
status:
  loadBalancer: {}
[since 1.32]

$ kubectl create quota few --hard=cpu=1500m,memory=2048Mi,pods=5 --scopes=NotTerminating --dry-run=client -o yaml
apiVersion: v1
kind: ResourceQuota
metadata:
  creationTimestamp: null
  name: few
spec:
  hard:
    cpu: 1500m
    memory: 2Gi
    pods: "5"
  scopes:
  - NotTerminating
status: {}
[since 1.32]

$ kubectl create poddisruptionbudget some --selector='app in (a,b),!old,tier=front' --max-unavailable=20% --dry-run=client -o yaml
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  creationTimestamp: null
  name: some
spec:
  maxUnavailable: 20%
  selector:
    matchExpressions:
    - key: app
      operator: In
      values:
      - a
      - b
    - key: old
      operator: DoesNotExist
    matchLabels:
      tier: front
status:
  currentHealthy: 0
  desiredHealthy: 0
  disruptionsAllowed: 0
  expectedPods: 0
[since 1.32]

$ kubectl create priorityclass vip --value=1000 --description='goes first' --preemption-policy=Never --global-default --dry-run=client -o yaml
apiVersion: scheduling.k8s.io/v1
description: goes first
globalDefault: true
kind: PriorityClass
metadata:
  creationTimestamp: null
  name: vip
preemptionPolicy: Never
value: 1000
[since 1.32]

$ kubectl create role reader --verb=get,list,get --resource=po,deploy/scale,pods/log --resource-name=a --dry-run=client -o yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  creationTimestamp: null
  name: reader
rules:
- apiGroups:
  - ""
  resourceNames:
  - a
  resources:
  - pods
  - pods/log
  verbs:
  - get
  - list
- apiGroups:
  - apps
  resourceNames:
  - a
  resources:
  - deployments/scale
  verbs:
  - get
  - list
[since 1.32]

$ kubectl create clusterrole paths --verb=get --non-resource-url=/healthz,/metrics/* --dry-run=client -o yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  creationTimestamp: null
  name: paths
rules:
- nonResourceURLs:
  - /healthz
  - /metrics/*
  verbs:
  - get
[since 1.32]

$ kubectl create clusterrole all --aggregation-rule=a=b --dry-run=client -o yaml
aggregationRule:
  clusterRoleSelectors:
  - matchLabels:
      a: b
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  creationTimestamp: null
  name: all
rules: null
[since 1.32]

$ kubectl create rolebinding readers --clusterrole=view --user=jane --group=devs --serviceaccount=team:robot --dry-run=client -o yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  creationTimestamp: null
  name: readers
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: view
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: jane
- apiGroup: rbac.authorization.k8s.io
  kind: Group
  name: devs
- kind: ServiceAccount
  name: robot
  namespace: team
[since 1.32]

$ kubectl create clusterrolebinding readers --clusterrole=view --user=jane --dry-run=client -o name
clusterrolebinding.rbac.authorization.k8s.io/readers
[since 1.32]

# Contents from files, literals and variables.

$ printf 'x=1\ny=2\n' >app.env; printf '\377\376' >raw; printf '# why\n\nA=b=c\n  D= e\nPLACE\n' >vars
[since 1.32]

$ kubectl create configmap conf --from-file=app.env --from-file=other=raw --from-literal='a="b"' --dry-run=client -o yaml
apiVersion: v1
binaryData:
  other: //4=
data:
  a: '"b"'
  app.env: |
    x=1
    y=2
kind: ConfigMap
metadata:
  creationTimestamp: null
  name: conf
[since 1.32]

$ PLACE=here kubectl create configmap conf --from-env-file=vars --dry-run=client -o yaml
apiVersion: v1
data:
  A: b=c
  D: ' e'
  PLACE: here
kind: ConfigMap
metadata:
  creationTimestamp: null
  name: conf
[since 1.32]

$ kubectl create configmap conf --from-literal=a=b --append-hash --dry-run=client
configmap/conf-42bd5k8d2h created (dry run)
[since 1.32]

$ kubectl create secret generic key --from-file=raw --from-literal=a=b --type=example.com/key --append-hash --dry-run=client -o yaml
apiVersion: v1
data:
  a: Yg==
  raw: //4=
kind: Secret
metadata:
  creationTimestamp: null
  name: key-4cbf75gf65
type: example.com/key
[since 1.32]

$ kubectl create secret docker-registry reg --docker-username=u --docker-password='p<&>' --docker-email=me@example.com --dry-run=client -o yaml
apiVersion: v1
data:
  .dockerconfigjson: eyJhdXRocyI6eyJodHRwczovL2luZGV4LmRvY2tlci5pby92MS8iOnsidXNlcm5hbWUiOiJ1IiwicGFzc3dvcmQiOiJwXHUwMDNjXHUwMDI2XHUwMDNlIiwiZW1haWwiOiJtZUBleGFtcGxlLmNvbSIsImF1dGgiOiJkVHB3UENZKyJ9fX0=
kind: Secret
metadata:
  creationTimestamp: null
  name: reg
type: kubernetes.io/dockerconfigjson
[since 1.32]

# What makes no sense.

$ kubectl create namespace
! error: exactly one NAME is required, got 0
! See 'kubectl create namespace -h' for help and examples
[exit 1]
[since 1.32]

$ kubectl create job x --image=a b
! error: exactly one NAME is required, got 2
! See 'kubectl create job -h' for help and examples
[exit 1]
[since 1.32]

$ kubectl create job x
! error: either --image or --from must be specified
[exit 1]
[since 1.32]

$ kubectl create job x --image=a --from=cronjob/b
! error: either --image or --from must be specified
[exit 1]
[since 1.32]

$ kubectl create job x --from=cronjob/nope
! Error from server (NotFound): cronjobs.batch "nope" not found
[exit 1]
[since 1.32]

$ kubectl create configmap x --from-literal=a
! error: invalid literal source a, expected key=value
[exit 1]
[since 1.32]

$ kubectl create configmap x --from-literal=a=b --from-literal=a=c
! error: cannot add key "a", another key by that name already exists in Data for ConfigMap "x"
[exit 1]
[since 1.32]

$ kubectl create configmap x --from-literal='a b=c'
! error: "a b" is not a valid key name for a ConfigMap: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
[exit 1]
[since 1.32]

$ kubectl create configmap x --from-file=nope
! error: error reading nope: no such file or directory
[exit 1]
[since 1.32]

$ kubectl create configmap x --from-file=k=.
! error: cannot give a key name for a directory path
[exit 1]
[since 1.32]

$ kubectl create configmap x --from-env-file=vars --from-literal=a=b
! error: from-env-file cannot be combined with from-file or from-literal
[exit 1]
[since 1.32]

$ printf '1a=b\n' >wrong; kubectl create configmap x --from-env-file=wrong
! error: "1a" is not a valid key name: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')
[exit 1]
[since 1.32]

$ kubectl create secret docker-registry x
! error: either --from-file or the combination of --docker-username, --docker-password and --docker-server is required
[exit 1]
[since 1.32]

$ kubectl create secret tls x
! error: key and cert must be specified
[exit 1]
[since 1.32]

$ kubectl create secret tls x --cert=vars --key=vars
! error: tls: failed to find any PEM data in certificate input
[exit 1]
[since 1.32]

$ kubectl create service clusterip x
! error: at least one tcp port specifier must be provided
[exit 1]
[since 1.32]

$ kubectl create service clusterip x --tcp=a
! error: strconv.ParseUint: parsing "a": invalid syntax
[exit 1]
[since 1.32]

$ kubectl create service nodeport x --tcp=80:70000
! error: must be between 1 and 65535, inclusive
[exit 1]
[since 1.32]

$ kubectl create service externalname x --external-name=a_b
! error: invalid service external name a_b
[exit 1]
[since 1.32]

$ kubectl create ingress x
! error: not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)
[exit 1]
[since 1.32]

$ kubectl create ingress x --rule=a
! error: rule a is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]
[exit 1]
[since 1.32]

$ kubectl create quota x --hard=cpu
! error: Invalid argument syntax cpu, expected <resource>=<value>
[exit 1]
[since 1.32]

$ kubectl create quota x --hard=cpu=much
! error: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
[exit 1]
[since 1.32]

$ kubectl create poddisruptionbudget x --min-available=1
! error: a selector must be specified
[exit 1]
[since 1.32]

$ kubectl create poddisruptionbudget x --selector=a=b
! error: one of min-available or max-unavailable must be specified
[exit 1]
[since 1.32]

$ kubectl create role x --verb=get
! error: at least one resource must be specified
[exit 1]
[since 1.32]

$ kubectl create role x --verb=use --resource=pods
! error: can not perform 'use' on 'pods' in group ''
[exit 1]
[since 1.32]

$ kubectl create role x --verb=fly --resource=pods --dry-run=server
! Warning: 'fly' is not a standard resource verb
role.rbac.authorization.k8s.io/x created (server dry run)
[since 1.32]

$ kubectl create role x --verb=get --resource=pods.nope
! the server doesn't have a resource type "pods" in group "nope"
[exit 1]
[since 1.32]

$ kubectl create clusterrole x --verb=list --non-resource-url=/x
! error: invalid verb: 'list' for nonResourceURL
[exit 1]
[since 1.32]

$ kubectl create rolebinding x --role=a --clusterrole=b
! error: exactly one of clusterrole or role must be specified
[exit 1]
[since 1.32]

$ kubectl create rolebinding x --role=a --serviceaccount=b
! error: serviceaccount must be <namespace>:<name>
[exit 1]
[since 1.32]

$ kubectl create secret generic x -n nowhere
! error: failed to create secret namespaces "nowhere" not found
[exit 1]
[since 1.32]

$ kubectl create service loadbalancer x --tcp=80 -n nowhere
! error: failed to create LoadBalancer service: namespaces "nowhere" not found
[exit 1]
[since 1.32]

$ kubectl create priorityclass x --value=2000000000
! error: failed to create priorityclass: PriorityClass.scheduling.k8s.io "x" is invalid: value: Forbidden: maximum allowed value of a user defined priority is 1000000000
[exit 1]
[since 1.32]

$ kubectl create
! error: must specify one of -f and -k
[exit 1]
[since 1.32]

$ kubectl create -f nope.yaml
! error: the path "nope.yaml" does not exist
[exit 1]
[since 1.32]

$ kubectl create deployment x --image=a --replicas=many
! Error: invalid argument "many" for "-r, --replicas" flag: strconv.ParseInt: parsing "many": invalid syntax
! See 'kubectl create deployment --help' for usage.
[exit 1]
[since 1.32]

# From files.

$ cat >two.yaml <<'EOF'
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: one, labels: {a: b}}
> ---
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: two}
> nope: 1
> EOF
[since 1.32]

$ kubectl create -f two.yaml --dry-run=client -o yaml
apiVersion: v1
kind: ConfigMap
metadata:
  labels:
    a: b
  name: one
  namespace: default
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: two
  namespace: default
nope: 1
[since 1.32]

$ kubectl create -f two.yaml
! Error from server (BadRequest): error when creating "two.yaml": ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "nope"
configmap/one created
[exit 1]
[since 1.32]

$ kubectl create -f two.yaml --validate=warn
! Warning: unknown field "nope"
! Error from server (AlreadyExists): error when creating "two.yaml": configmaps "one" already exists
configmap/two created
[exit 1]
[since 1.32]

$ kubectl create -f two.yaml -l a=b
! Error from server (AlreadyExists): error when creating "two.yaml": configmaps "one" already exists
[exit 1]
[since 1.32]

$ kubectl create -f two.yaml -l a=c
! error: no objects passed to create
[exit 1]
[since 1.32]

$ kubectl create -f two.yaml -n nowhere
! Error from server (NotFound): error when creating "two.yaml": namespaces "nowhere" not found
! Error from server (BadRequest): error when creating "two.yaml": ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "nope"
[exit 1]
[since 1.32]

$ sed '/nope/d; s/name: /name: saved-/' two.yaml | kubectl create -f - --save-config -o name
configmap/saved-one
configmap/saved-two
[since 1.32]

$ kubectl get configmap saved-one -o yaml
apiVersion: v1
kind: ConfigMap
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{},"labels":{"a":"b"},"name":"saved-one","namespace":"default"}}
  creationTimestamp: "2026-11-30T03:35:30Z"
  labels:
    a: b
  name: saved-one
  namespace: default
  resourceVersion: "90"
  uid: dc5c620c-226a-4bef-8d11-cd85864549bb
[since 1.32]

# Tokens.

$ kubectl create token default | cut -d. -f1 | wc -l
1
[since 1.32]

$ kubectl create token nope
! error: failed to create token: serviceaccounts "nope" not found
[exit 1]
[since 1.32]

$ kubectl create token default --duration=5s
! error: failed to create token: TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes
[exit 1]
[since 1.32]

$ kubectl create token default --bound-object-kind=Pod
! error: --bound-object-name is required if --bound-object-kind is provided
[exit 1]
[since 1.32]

# A CronJob's next Job, right now.

$ kubectl create cronjob tick --image=busybox --schedule='0 0 1 1 *' -- date
cronjob.batch/tick created
[since 1.32]

$ kubectl create job now --from=cronjob/tick
job.batch/now created
[since 1.32]

$ kubectl get job now -o yaml | sed -n '/ownerReferences/,/uid/p'
  ownerReferences:
  - apiVersion: batch/v1
    controller: true
    kind: CronJob
    name: tick
    uid: dc5c620c-226a-4bef-8d11-cd85864549bb
[since 1.32]

$ kubectl create job now --from=deployment/nope
! Error from server (NotFound): deployments.apps "nope" not found
[exit 1]
[since 1.32]

# A Service for what is there.

$ kubectl create deployment web --image=nginx --port=80
deployment.apps/web created
[since 1.32]

$ kubectl expose deployment web --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  labels:
    app: web
  name: web
spec:
  ports:
  - port: 80
    protocol: TCP
    targetPort: 80
  selector:
    app: web
status:
  loadBalancer: {}
[since 1.32]

$ kubectl expose deployment web --type=NodePort --port=8080 --target-port=http --name=front --labels=a=b,c=d --session-affinity=ClientIP --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  labels:
    a: b
    c: d
  name: front
spec:
  ports:
  - port: 8080
    protocol: TCP
    targetPort: http
  selector:
    app: web
  sessionAffinity: ClientIP
  type: NodePort
status:
  loadBalancer: {}
[since 1.32]

$ kubectl expose deployment web
service/web exposed
[since 1.32]

$ kubectl expose deployment web
! Error from server (AlreadyExists): services "web" already exists
[exit 1]
[since 1.32]

$ kubectl expose service web --name=again --overrides='{"spec":{"type":"LoadBalancer"}}'
service/again exposed
[since 1.32]

$ kubectl get service again -o yaml | grep type:
  type: LoadBalancer
[since 1.32]

$ kubectl run dns --image=busybox --overrides='{"spec":{"containers":[{"name":"dns","image":"busybox","ports":[{"containerPort":53,"protocol":"UDP"},{"containerPort":53,"protocol":"TCP"},{"containerPort":80}]}]}}'
pod/dns created
[since 1.32]

$ kubectl expose pod dns --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  labels:
    run: dns
  name: dns
spec:
  ports:
  - name: port-1-udp
    port: 53
    protocol: UDP
    targetPort: 53
  - name: port-1-tcp
    port: 53
    protocol: TCP
    targetPort: 53
  - name: port-2
    port: 80
    protocol: TCP
    targetPort: 80
  selector:
    run: dns
status:
  loadBalancer: {}
[since 1.32]

$ kubectl expose node k8s-node-1 --port=80
! error: cannot expose a Node
[exit 1]
[since 1.32]

$ kubectl expose cronjob tick --port=80
! error: cannot expose a CronJob.batch
[exit 1]
[since 1.32]

$ kubectl expose deployment nope --port=80
! Error from server (NotFound): deployments.apps "nope" not found
[exit 1]
[since 1.32]

$ kubectl expose deployment
! error: resource(s) were provided, but no name was specified
[exit 1]
[since 1.32]

$ kubectl expose deployment web --port=http
! error: strconv.Atoi: parsing "http": invalid syntax
[exit 1]
[since 1.32]

$ kubectl expose deployment web --name=x --type=Nope
! The Service "x" is invalid: spec.type: Unsupported value: "Nope": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"
[exit 1]
[since 1.32]

# A size that follows the load.

$ kubectl autoscale deployment web --min=1 --max=5 --cpu-percent=80 --dry-run=client -o yaml
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata:
  creationTimestamp: null
  name: web
spec:
  maxReplicas: 5
  minReplicas: 1
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: web
  targetCPUUtilizationPercentage: 80
status:
  currentReplicas: 0
  desiredReplicas: 0
[since 1.32]

$ kubectl autoscale deployment web --max=5
horizontalpodautoscaler.autoscaling/web autoscaled
[since 1.32]

$ kubectl autoscale deployment web --max=5
! Error from server (AlreadyExists): horizontalpodautoscalers.autoscaling "web" already exists
[exit 1]
[since 1.32]

$ kubectl autoscale deployment web --max=1 --min=2
! error: --max=MAXPODS must be larger or equal to --min=MINPODS, max: 1, min: 2
[exit 1]
[since 1.32]

$ kubectl autoscale deployment web --max=0
! error: --max=MAXPODS is required and must be at least 1, max: 0
[exit 1]
[since 1.32]

$ kubectl autoscale pod dns --max=2
! error: cannot autoscale a Pod: could not find scale subresource for /v1, Resource=pods in discovery information
[exit 1]
[since 1.32]

# A pod.

$ kubectl run solo --image=nginx --port=80 --expose --dry-run=client -o yaml
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: null
  name: solo
spec:
  ports:
  - port: 80
    protocol: TCP
    targetPort: 80
  selector:
    run: solo
status:
  loadBalancer: {}
---
---
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels:
    run: solo
  name: solo
spec:
  containers:
  - image: nginx
    name: solo
    ports:
    - containerPort: 80
    resources: {}
  dnsPolicy: ClusterFirst
  restartPolicy: Always
status: {}
[since 1.32]

$ kubectl run solo --image=nginx --expose
! error: --port must be set when exposing a service
! See 'kubectl run -h' for help and examples
[exit 1]
[since 1.32]

$ kubectl run solo --image=nginx --env=A=b --labels=app=solo --annotations=n=o --restart=OnFailure --image-pull-policy=Never --privileged --command --dry-run=client -o yaml -- sleep 9
apiVersion: v1
kind: Pod
metadata:
  annotations:
    "n": o
  creationTimestamp: null
  labels:
    app: solo
  name: solo
spec:
  containers:
  - command:
    - sleep
    - "9"
    env:
    - name: A
      value: b
    image: nginx
    imagePullPolicy: Never
    name: solo
    resources: {}
    securityContext:
      privileged: true
  dnsPolicy: ClusterFirst
  restartPolicy: OnFailure
status: {}
[since 1.32]

$ kubectl run solo --image=nginx --override-type=strategic --overrides='{"spec":{"containers":[{"name":"solo","tty":true}]}}' --dry-run=client -o yaml
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels:
    run: solo
  name: solo
spec:
  containers:
  - image: nginx
    name: solo
    resources: {}
    tty: true
  dnsPolicy: ClusterFirst
  restartPolicy: Always
status: {}
[since 1.32]

$ kubectl run solo --image=nginx --override-type=json --overrides='[{"op":"replace","path":"/spec/restartPolicy","value":"Never"}]' --dry-run=client -o yaml
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels:
    run: solo
  name: solo
spec:
  containers:
  - image: nginx
    name: solo
    resources: {}
  dnsPolicy: ClusterFirst
  restartPolicy: Never
status: {}
[since 1.32]

$ kubectl run solo --image=nginx --overrides='{'
! error: Invalid JSON Patch
[exit 1]
[since 1.32]

$ kubectl run solo --image='a b'
! error: Invalid image name "a b": invalid reference format
[exit 1]
[since 1.32]

$ kubectl run solo --image=nginx --restart=Sometimes
! error: invalid restart policy: Sometimes
! See 'kubectl run -h' for help and examples
[exit 1]
[since 1.32]

$ kubectl run solo --image=nginx --rm
! error: --rm should only be used for attached containers
! See 'kubectl run -h' for help and examples
[exit 1]
[since 1.32]

$ kubectl run solo --image=nginx --port=http
! error: strconv.Atoi: parsing "http": invalid syntax
[exit 1]
[since 1.32]

$ kubectl run solo --image=nginx --replicas=2
! Error: unknown flag: --replicas
! See 'kubectl run --help' for usage.
[exit 1]
[since 1.32]

$ kubectl run solo --image=nginx --port=80 --expose
service/solo created
pod/solo created
[since 1.32]

$ kubectl run solo --image=nginx --port=80 --expose
! Error from server (AlreadyExists): pods "solo" already exists
[exit 1]
[since 1.32]

# Deleting: what would be, what is asked, what does not go together.

$ kubectl delete configmap nope --dry-run=client
configmap "nope" deleted (dry run)
[since 1.32]

$ kubectl delete configmap nope --dry-run=server
! Error from server (NotFound): configmaps "nope" not found
[exit 1]
[since 1.32]

$ echo n | kubectl delete configmap one saved-one --interactive
You are about to delete the following 2 resource(s):
configmap/one
configmap/saved-one
Do you want to continue? (y/n): deletion is cancelled
[since 1.32]

$ echo y | kubectl delete configmap saved-one --interactive -o name
You are about to delete the following 1 resource(s):
configmap/saved-one
Do you want to continue? (y/n): configmap/saved-one
[since 1.32]

$ kubectl delete configmap --all -l a=b
! error: setting 'all' parameter but found a non empty selector.
[exit 1]
[since 1.32]

$ kubectl delete configmap one -l a=b
! error: name cannot be provided when a selector is specified
[exit 1]
[since 1.32]

$ kubectl delete configmap/one --all
! error: selectors and the all flag cannot be used when passing resource/name arguments
[exit 1]
[since 1.32]

$ kubectl delete configmap one --now --grace-period=5
! error: --now and --grace-period cannot be specified together
[exit 1]
[since 1.32]

$ kubectl delete configmap one --force --grace-period=5
! error: --force and --grace-period greater than 0 cannot be specified together
[exit 1]
[since 1.32]

$ kubectl delete configmap one -o yaml
! error: unexpected -o output mode: yaml. We only support '-o name'
[exit 1]
[since 1.32]

$ kubectl delete configmap one --cascade=maybe
! error: invalid cascade value (maybe). Must be "background", "foreground", or "orphan"
[exit 1]
[since 1.32]

$ kubectl delete configmap
! error: resource(s) were provided, but no name was specified
[exit 1]
[since 1.32]

$ kubectl delete namespace nope -n default --ignore-not-found
! Warning: deleting cluster-scoped resources, not scoped to the provided namespace
[since 1.32]

$ kubectl delete configmap -l a=b --all=false
configmap "one" deleted
[since 1.32]

$ kubectl delete configmap -l a=b
No resources found
[since 1.32]

$ kubectl delete service/again service/web horizontalpodautoscaler/web --wait=true
service "again" deleted
service "web" deleted
horizontalpodautoscaler.autoscaling "web" deleted
[since 1.32]

$ kubectl delete deployment web --cascade=orphan
deployment.apps "web" deleted
[since 1.32]

$ kubectl get replicaset -l app=web -o name | sed 's/-.*//'
replicaset.apps/web
[since 1.32]

$ kubectl delete replicaset -l app=web --cascade=foreground -o name | sed 's/-.*//'
replicaset.apps/web
[since 1.32]

$ kubectl get pods -l app=web -o name
[since 1.32]

$ kubectl delete pod solo dns --force --grace-period=0
! Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.
pod "solo" force deleted
pod "dns" force deleted
[since 1.32]

$ kubectl delete -f two.yaml
! Error from server (NotFound): error when deleting "two.yaml": configmaps "one" not found
configmap "two" deleted
[exit 1]
[since 1.32]
