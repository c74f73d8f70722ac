# Every form in which objects are printed.

$ kubectl apply -f - <<END
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: settings, labels: {app: web, example.com/tier: front}}
> data: {mode: fast, level: "3", secret: aGVsbG8=, odd: "<a & b>"}
> ---
> apiVersion: v1
> kind: ConfigMap
> metadata: {name: other}
> data: {mode: slow, level: "20"}
> ---
> apiVersion: v1
> kind: Service
> metadata: {name: web}
> spec:
>   clusterIP: None
>   ports: [{name: http, port: 80}, {name: https, port: 443, protocol: TCP}, {name: dns, port: 53, protocol: UDP}]
> END
configmap/settings created
configmap/other created
service/web created

# jsonpath: text, and in braces what is picked.

$ kubectl get svc web -o jsonpath='{.kind} {.metadata.name}: {.spec.ports[*].port}{"\n"}'
Service web: 80 443 53

$ kubectl get svc web -o jsonpath='{.spec.ports[0].name} {.spec.ports[-1].name} {.spec.ports[0:2].name} {.spec.ports[::2].name} {.spec.ports[0,2].name}{"\n"}'
http dns http https http dns http dns

$ kubectl get svc web -o jsonpath='{range .spec.ports[*]}{.name}{"\t"}{.port}/{.protocol}{"\n"}{end}'
http	80/TCP
https	443/TCP
dns	53/UDP

$ kubectl get svc web -o jsonpath='{.spec.ports[?(@.protocol=="UDP")].name} {.spec.ports[?(@.port>=80)].name} {.spec.ports[?(@.nope)].name}{"\n"}'
dns http https

$ kubectl get svc web -o jsonpath='{.spec.ports[0]}{"\n"}{.spec.nope}{..protocol}{"\n"}'
{"name":"http","port":80,"protocol":"TCP","targetPort":80}
TCP TCP UDP

$ kubectl get cm settings -o jsonpath="{.metadata.labels.example\.com/tier} {.metadata.labels['app','example\.com/tier']} {.data}{'\n'}"
front web front {"level":"3","mode":"fast","odd":"\u003ca \u0026 b\u003e","secret":"aGVsbG8="}

$ kubectl get cm -o jsonpath='{range .items[?(@.data.mode)]}{.metadata.name}={.data.mode} {end}{"\n"}'
other=slow settings=fast

$ kubectl get cm settings other -o jsonpath='{.kind} {.items[*].metadata.name}{"\n"}'
List settings other

$ kubectl get svc web -o jsonpath-as-json='{.spec.ports[*].name}{.metadata.nope}'
[
    "http",
    "https",
    "dns"
]
[]

$ kubectl get svc web -o jsonpath='{.spec.ports'
! error: error parsing jsonpath {.spec.ports, unclosed action
[exit 1]

$ kubectl get svc web -o jsonpath='{.spec.ports[x]}'
! error: error parsing jsonpath {.spec.ports[x]}, invalid array index x
[exit 1]

$ kubectl get svc web -o jsonpath='{.spec.ports[7]}' 2>&1 | head -3
error: error executing jsonpath "{.spec.ports[7]}": Error executing template: array index out of bounds: index 7, length 3. Printing more information for debugging the template:
	template was:
		{.spec.ports[7]}

$ kubectl get svc web -o jsonpath='{.spec.nope}' --allow-missing-template-keys=false 2>&1 | head -1
error: error executing jsonpath "{.spec.nope}": Error executing template: nope is not found. Printing more information for debugging the template:

$ kubectl get svc web -o jsonpath
! error: template format specified but no template given
[exit 1]

$ kubectl get svc web -o jsonpath-file=nope
! error: error reading --template nope, open nope: no such file or directory
[exit 1]

# Go's templates.

$ kubectl get svc web -o go-template='{{.kind}} {{.metadata.name}}: {{range .spec.ports}}{{.port}} {{end}}{{"\n"}}'
Service web: 80 443 53

$ kubectl get svc web -o go-template='{{range $at, $port := .spec.ports}}{{if $at}}, {{end}}{{$at}}={{$port.name}}{{end}}{{"\n"}}'
0=http, 1=https, 2=dns

$ kubectl get cm settings -o go-template='{{range $key, $value := .data}}{{printf "%-8s%q" $key $value}}{{"\n"}}{{end}}'
level   "3"
mode    "fast"
odd     "<a & b>"
secret  "aGVsbG8="

$ kubectl get cm settings -o go-template='{{.data.secret | base64decode}} {{len .data}} {{index .data "mode"}} {{index .metadata.labels "example.com/tier"}} {{.data.nope}}{{"\n"}}'
hello 4 fast front <no value>

$ kubectl get cm -o go-template='{{range .items}}{{if and .data.mode (ne .data.mode "slow")}}{{.metadata.name}}{{else if eq .metadata.name "other"}}not {{.metadata.name}}{{else}}-{{end}}{{"\n"}}{{end}}'
-
not other
settings

$ kubectl get cm settings --template='{{with .data}}{{- /* no space */ -}} {{.mode}} {{- end}}{{with .nope}}{{else}} nothing{{end}}{{"\n"}}'
fast nothing

$ kubectl get svc web -o go-template='{{(index .spec.ports 0).name}} {{eq (len .spec.ports) 3}} {{gt 1 2}} {{not .nope}} {{or .nope "else"}}{{"\n"}}'
http true false true else

$ echo '{{range .items}}{{println .metadata.name}}{{end}}' >names; kubectl get cm settings other -o go-template-file=names
settings
other

$ kubectl get svc web -o go-template='{{.spec'
! error: error parsing template {{.spec, template: output:1: unclosed action
[exit 1]

$ kubectl get svc web -o go-template='{{nope .spec}}'
! error: error parsing template {{nope .spec}}, template: output:1: function "nope" not defined
[exit 1]

$ kubectl get svc web -o go-template='{{.kind.nope}}' >printed; head -1 printed
! error: error executing template "{{.kind.nope}}": template: output:1:7: executing "output" at <.kind.nope>: can't evaluate field nope in type interface {}
Error executing template: template: output:1:7: executing "output" at <.kind.nope>: can't evaluate field nope in type interface {}. Printing more information for debugging the template:

$ kubectl get svc web -o go-template='{{index .spec.ports 9}}' >printed
! error: error executing template "{{index .spec.ports 9}}": template: output:1:2: executing "output" at <index .spec.ports 9>: error calling index: index out of range: 9
[exit 1]

# Columns.

$ kubectl get cm settings other -o custom-columns=NAME:.metadata.name,MODE:.data.mode,LABELS:.metadata.labels,NOPE:.nope
NAME       MODE   LABELS                                NOPE
settings   fast   map[app:web example.com/tier:front]   <none>
other      slow   <none>                                <none>

$ kubectl get svc web -o custom-columns='PORTS:.spec.ports[*].port,FIRST:{.spec.ports[0]},UDP:.spec.ports[?(@.protocol=="UDP")].name'
PORTS       FIRST                                               UDP
80,443,53   map[name:http port:80 protocol:TCP targetPort:80]   dns

$ kubectl get cm settings --no-headers -o custom-columns=:metadata.name
settings

$ kubectl get cm -o custom-columns=NAME
! error: unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>
[exit 1]

$ kubectl get cm -o custom-columns
! error: custom-columns format specified but no custom columns given
[exit 1]

$ echo 'NAME MODE' >columns; kubectl get cm -o custom-columns-file=columns
! error: invalid template, missing spec line. Expected format is one line of space separated headers, one line of space separated column specs.
[exit 1]

# The other forms.

$ kubectl get cm settings -o json
{
    "apiVersion": "v1",
    "data": {
        "level": "3",
        "mode": "fast",
        "odd": "\u003ca \u0026 b\u003e",
        "secret": "aGVsbG8="
    },
    "kind": "ConfigMap",
    "metadata": {
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"apiVersion\":\"v1\",\"data\":{\"level\":\"3\",\"mode\":\"fast\",\"odd\":\"\\u003ca \\u0026 b\\u003e\",\"secret\":\"aGVsbG8=\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"labels\":{\"app\":\"web\",\"example.com/tier\":\"front\"},\"name\":\"settings\",\"namespace\":\"default\"}}\n"
        },
        "creationTimestamp": "2026-11-30T03:41:56Z",
        "labels": {
            "app": "web",
            "example.com/tier": "front"
        },
        "name": "settings",
        "namespace": "default",
        "resourceVersion": "69",
        "uid": "aec89e97-589d-44b8-9104-df867561675d"
    }
}
[since 1.32]

$ kubectl get cm settings -o YAML
apiVersion: v1
data:
  level: "3"
  mode: fast
  odd: <a & b>
  secret: aGVsbG8=
kind: ConfigMap
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1","data":{"level":"3","mode":"fast","odd":"\u003ca \u0026 b\u003e","secret":"aGVsbG8="},"kind":"ConfigMap","metadata":{"annotations":{},"labels":{"app":"web","example.com/tier":"front"},"name":"settings","namespace":"default"}}
  creationTimestamp: "2026-11-30T03:41:56Z"
  labels:
    app: web
    example.com/tier: front
  name: settings
  namespace: default
  resourceVersion: "69"
  uid: aec89e97-589d-44b8-9104-df867561675d
[since 1.32]

$ kubectl get cm settings other -o name
configmap/settings
configmap/other

$ kubectl get cm nope nope2 -o name
! Error from server (NotFound): configmaps "nope" not found
! Error from server (NotFound): configmaps "nope2" not found
[exit 1]

$ kubectl get cm settings -o nope
! error: unable to match a printer suitable for the output format "nope", allowed formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml
[exit 1]

$ kubectl apply --dry-run=server -f - -o wide <<<'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}'
! error: unable to match a printer suitable for the output format "wide", allowed formats are: go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,yaml
[exit 1]

# The order of things.

$ kubectl get cm --sort-by=.data.level -o name
configmap/kube-root-ca.crt
configmap/settings
configmap/other

$ kubectl get cm settings other --sort-by=.data.level --no-headers -o custom-columns=:.metadata.name,:.data.level
settings   3
other      20

$ kubectl get cm -o name --sort-by=.nope
! error: couldn't find any field with path "{.nope}" in the list of objects
[exit 1]

$ kubectl get cm -o name --sort-by='{.a}{.b}'
! error: unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'
[exit 1]

# What the server does not compute.

$ kubectl get cm settings --server-print=false
NAME       AGE
settings   21s

$ kubectl get cm/settings svc/web --server-print=false
NAME                 AGE
configmap/settings   21s

NAME          AGE
service/web   21s

$ kubectl get cm settings --show-kind --show-labels
NAME                 DATA   AGE   LABELS
configmap/settings   4      22s   app=web,example.com/tier=front

# Parts of objects, and answers as they are.

$ kubectl apply -f - <<END
> apiVersion: apps/v1
> kind: Deployment
> metadata: {name: none}
> spec:
>   replicas: 0
>   selector: {matchLabels: {app: none}}
>   template: {metadata: {labels: {app: none}}, spec: {containers: [{name: c, image: nginx}]}}
> END
deployment.apps/none created

$ kubectl get deploy none --subresource=scale -o jsonpath='{.kind} {.spec.replicas}{"\n"}'
Scale
[since 1.32]

$ kubectl get deploy none --subresource=status -o name
deployment.apps/none
[since 1.32]

$ kubectl get deploy --subresource=scale
! error: subresource cannot be used when bulk resources are specified
[exit 1]
[since 1.32]

$ kubectl get deploy none --subresource=nope
! Error from server (NotFound): the server could not find the requested resource
[exit 1]
[since 1.32]

$ kubectl get --raw /api/v1/namespaces/default/configmaps/nope
! Error from server (NotFound): configmaps "nope" not found
[exit 1]

$ kubectl get --raw nope
! error: --raw must be a valid URL path: parse "nope": invalid URI for request
[exit 1]
[since 1.32]

$ kubectl get cm --raw /version
! error: arguments may not be passed when --raw is specified
[exit 1]

$ kubectl get --raw /version -o yaml
! error: --raw and --output are mutually exclusive
[exit 1]
[since 1.32]

$ kubectl get
! You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.
!
! error: Required resource not specified.
! Use "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).
! See 'kubectl get -h' for help and examples
[exit 1]
