// Field numbers of Kubernetes' protobuf messages, for the kinds and fields that kubectl sends in this format.

/** `name:number` pairs by type. They are part of the wire format and never change. */
const numbers: Record<string, string> = {
  ObjectMeta:
    'name:1 generateName:2 namespace:3 selfLink:4 uid:5 resourceVersion:6 generation:7 creationTimestamp:8 deletionTimestamp:9 deletionGracePeriodSeconds:10 labels:11 annotations:12 ownerReferences:13 finalizers:14',
  OwnerReference: 'kind:1 name:3 uid:4 apiVersion:5 controller:6 blockOwnerDeletion:7',
  LabelSelector: 'matchLabels:1 matchExpressions:2',
  LabelSelectorRequirement: 'key:1 operator:2 values:3',
  DeleteOptions: 'gracePeriodSeconds:1 preconditions:2 orphanDependents:3 propagationPolicy:4 dryRun:5',
  Preconditions: 'uid:1 resourceVersion:2',

  Namespace: 'metadata:1 spec:2 status:3',
  NamespaceSpec: 'finalizers:1',
  NamespaceStatus: 'phase:1',
  ConfigMap: 'metadata:1 data:2 binaryData:3 immutable:4',
  Secret: 'metadata:1 data:2 type:3 stringData:4 immutable:5',
  ServiceAccount: 'metadata:1 automountServiceAccountToken:4',
  ResourceQuota: 'metadata:1 spec:2 status:3',
  ResourceQuotaSpec: 'hard:1 scopes:2',
  ResourceQuotaStatus: '',
  Service: 'metadata:1 spec:2 status:3',
  ServiceSpec:
    'ports:1 selector:2 clusterIP:3 type:4 externalIPs:5 sessionAffinity:7 loadBalancerIP:8 externalName:10 externalTrafficPolicy:11 healthCheckNodePort:12 publishNotReadyAddresses:13 clusterIPs:18 loadBalancerClass:21',
  ServicePort: 'name:1 protocol:2 port:3 targetPort:4 nodePort:5 appProtocol:6',
  ServiceStatus: 'loadBalancer:1',
  LoadBalancerStatus: '',

  Deployment: 'metadata:1 spec:2 status:3',
  DeploymentSpec:
    'replicas:1 selector:2 template:3 strategy:4 minReadySeconds:5 revisionHistoryLimit:6 paused:7 progressDeadlineSeconds:9',
  DeploymentStrategy: 'type:1 rollingUpdate:2',
  RollingUpdateDeployment: 'maxUnavailable:1 maxSurge:2',
  DeploymentStatus:
    'observedGeneration:1 replicas:2 updatedReplicas:3 availableReplicas:4 unavailableReplicas:5 readyReplicas:7',
  Job: 'metadata:1 spec:2 status:3',
  JobSpec:
    'parallelism:1 completions:2 activeDeadlineSeconds:3 selector:4 manualSelector:5 template:6 backoffLimit:7 ttlSecondsAfterFinished:8 completionMode:9 suspend:10 backoffLimitPerIndex:12 maxFailedIndexes:13 podReplacementPolicy:14 managedBy:15',
  JobStatus: 'active:4 succeeded:5 failed:6 completedIndexes:7',
  CronJob: 'metadata:1 spec:2 status:3',
  CronJobSpec:
    'schedule:1 startingDeadlineSeconds:2 concurrencyPolicy:3 suspend:4 jobTemplate:5 successfulJobsHistoryLimit:6 failedJobsHistoryLimit:7 timeZone:8',
  JobTemplateSpec: 'metadata:1 spec:2',
  CronJobStatus: '',
  PodTemplateSpec: 'metadata:1 spec:2',
  PodSpec:
    'containers:2 restartPolicy:3 terminationGracePeriodSeconds:4 activeDeadlineSeconds:5 dnsPolicy:6 nodeSelector:7 serviceAccountName:8 serviceAccount:9 nodeName:10 hostNetwork:11 hostPID:12 hostIPC:13 securityContext:14 hostname:16 subdomain:17 schedulerName:19 initContainers:20 automountServiceAccountToken:21 priorityClassName:24',
  PodSecurityContext: 'runAsUser:2 runAsNonRoot:3 fsGroup:5 runAsGroup:6',
  Container:
    'name:1 image:2 command:3 args:4 workingDir:5 ports:6 env:7 resources:8 terminationMessagePath:13 imagePullPolicy:14 stdin:16 stdinOnce:17 tty:18 terminationMessagePolicy:20',
  ContainerPort: 'name:1 hostPort:2 containerPort:3 protocol:4 hostIP:5',
  EnvVar: 'name:1 value:2',
  ResourceRequirements: 'limits:1 requests:2',

  Role: 'metadata:1 rules:2',
  ClusterRole: 'metadata:1 rules:2 aggregationRule:3',
  AggregationRule: 'clusterRoleSelectors:1',
  PolicyRule: 'verbs:1 apiGroups:2 resources:3 resourceNames:4 nonResourceURLs:5',
  RoleBinding: 'metadata:1 subjects:2 roleRef:3',
  ClusterRoleBinding: 'metadata:1 subjects:2 roleRef:3',
  RoleRef: 'apiGroup:1 kind:2 name:3',
  Subject: 'kind:1 apiGroup:2 name:3 namespace:4',

  PodDisruptionBudget: 'metadata:1 spec:2 status:3',
  PodDisruptionBudgetSpec: 'minAvailable:1 selector:2 maxUnavailable:3 unhealthyPodEvictionPolicy:4',
  PodDisruptionBudgetStatus:
    'observedGeneration:1 disruptionsAllowed:3 currentHealthy:4 desiredHealthy:5 expectedPods:6',
  PriorityClass: 'metadata:1 value:2 globalDefault:3 description:4 preemptionPolicy:5',
  Eviction: 'metadata:1 deleteOptions:2',

  TokenRequest: 'metadata:1 spec:2 status:3',
  TokenRequestSpec: 'audiences:1 boundObjectRef:3 expirationSeconds:4',
  BoundObjectReference: 'kind:1 apiVersion:2 name:3 uid:4',
  TokenRequestStatus: 'token:1 expirationTimestamp:2',
  SelfSubjectReview: 'metadata:1 status:2',
  SelfSubjectReviewStatus: 'userInfo:1',
  UserInfo: 'username:1 uid:2 groups:3',
  SelfSubjectAccessReview: 'metadata:1 spec:2 status:3',
  SelfSubjectAccessReviewSpec: 'resourceAttributes:1 nonResourceAttributes:2',
  SubjectAccessReview: 'metadata:1 spec:2 status:3',
  LocalSubjectAccessReview: 'metadata:1 spec:2 status:3',
  SubjectAccessReviewSpec: 'resourceAttributes:1 nonResourceAttributes:2 user:3 groups:4 extra:5 uid:6',
  ResourceAttributes: 'namespace:1 verb:2 group:3 version:4 resource:5 subresource:6 name:7',
  NonResourceAttributes: 'path:1 verb:2',
  SubjectAccessReviewStatus: 'allowed:1 reason:2 evaluationError:3 denied:4',
  SelfSubjectRulesReview: 'metadata:1 spec:2 status:3',
  SelfSubjectRulesReviewSpec: 'namespace:1',
  SubjectRulesReviewStatus: 'incomplete:3 evaluationError:4',
};

const byNumber = new Map<string, Map<number, string>>(
  Object.entries(numbers).map(([type, fields]) => [
    type,
    new Map(fields.split(' ').map((field) => [Number(field.split(':')[1]), field.split(':')[0] ?? ''])),
  ]),
);

/** Names of a type's fields by number. Undefined for an unsupported type. */
export const fieldNumbers = (type: string): ReadonlyMap<number, string> | undefined => byNumber.get(type);
