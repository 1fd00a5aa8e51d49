// The parts of native objects that the rules of kinds use. Decoding has checked the types of fields, but all fields may be absent.

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
}

/** Quantities of CPU, memory and other resources: `{ cpu: '500m' }`. */
export type Quantities = Record<string, string>;

export interface Resources {
  limits?: Quantities;
  requests?: Quantities;
}

/** The action of a probe or a lifecycle hook. Only one field is set. */
export interface Handler {
  exec?: object;
  httpGet?: { path?: string; scheme?: string; port?: number | string };
  tcpSocket?: { port?: number | string };
  grpc?: { port?: number; service?: string };
}

export interface Probe extends Handler {
  initialDelaySeconds?: number;
  timeoutSeconds?: number;
  periodSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
}

export interface EnvVarSource {
  fieldRef?: { apiVersion?: string };
  resourceFieldRef?: { divisor?: string };
  configMapKeyRef?: object;
  secretKeyRef?: object;
  fileKeyRef?: object;
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: EnvVarSource;
}

export interface ContainerPort {
  name?: string;
  containerPort?: number;
  hostPort?: number | undefined;
  hostIP?: string;
  protocol?: string;
}

export interface Container {
  name: string;
  image?: string;
  imagePullPolicy?: string;
  ports?: ContainerPort[];
  env?: EnvVar[];
  volumeMounts?: { name: string; mountPath: string }[];
  resources?: Resources;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
  lifecycle?: { postStart?: Handler; preStop?: Handler };
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
}

interface DownwardFiles {
  items?: { fieldRef?: { apiVersion?: string } }[];
}

interface WithMode {
  defaultMode?: number;
}

export interface Volume {
  name: string;
  emptyDir?: object;
  hostPath?: { type?: string };
  secret?: WithMode;
  configMap?: WithMode;
  downwardAPI?: WithMode & DownwardFiles;
  projected?: WithMode & {
    sources?: { serviceAccountToken?: { expirationSeconds?: number }; downwardAPI?: DownwardFiles }[];
  };
}

export interface Toleration {
  key?: string;
  operator?: string;
  effect?: string;
  tolerationSeconds?: number;
}

export interface PodSpec {
  containers?: Container[];
  initContainers?: Container[];
  ephemeralContainers?: Container[];
  volumes?: Volume[];
  tolerations?: Toleration[];
  nodeName?: string;
  nodeSelector?: Record<string, string>;
  serviceAccountName?: string;
  serviceAccount?: string;
  hostNetwork?: boolean;
  enableServiceLinks?: boolean;
  securityContext?: object;
  schedulerName?: string;
  dnsPolicy?: string;
  restartPolicy?: string;
  terminationGracePeriodSeconds?: number;
  activeDeadlineSeconds?: number;
  priorityClassName?: string;
  priority?: number;
  preemptionPolicy?: string;
}

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: PodSpec;
}

interface ContainerState {
  running?: object;
  waiting?: { reason?: string };
  terminated?: { reason?: string; signal?: number; exitCode?: number; finishedAt?: string };
}

export interface ContainerStatus {
  ready?: boolean;
  restartCount?: number;
  state?: ContainerState;
  lastState?: ContainerState;
}

export interface PodStatus {
  phase?: string;
  reason?: string;
  conditions?: Condition[];
  initContainerStatuses?: ContainerStatus[];
  containerStatuses?: ContainerStatus[];
}

/** For Deployments and DaemonSets. */
export interface RollingUpdate {
  maxUnavailable?: number | string;
  maxSurge?: number | string;
}

export interface DeploymentStrategy {
  type?: string;
  rollingUpdate?: RollingUpdate;
}

export interface StatefulSetStrategy {
  type?: string;
  rollingUpdate?: { partition?: number; maxUnavailable?: number | string };
}

/** The common fields of the workload specs in apps/v1. */
export interface WorkloadSpec {
  selector?: LabelSelector;
  template?: PodTemplate;
}

export interface StatefulSetSpec extends WorkloadSpec {
  volumeClaimTemplates?: (Claim & { metadata: { name: string } })[];
}

export interface JobSpec extends WorkloadSpec {
  parallelism?: number;
  completions?: number;
  completionMode?: string;
  activeDeadlineSeconds?: number;
  backoffLimit?: number;
  backoffLimitPerIndex?: number;
  ttlSecondsAfterFinished?: number;
  suspend?: boolean;
  manualSelector?: boolean;
  podFailurePolicy?: object;
  podReplacementPolicy?: string;
}

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  targetPort?: number | string;
  nodePort?: number;
}

export interface ServiceSpec {
  type?: string;
  ports?: ServicePort[];
  clusterIP?: string | undefined;
  clusterIPs?: string[] | undefined;
  ipFamilies?: string[] | undefined;
  ipFamilyPolicy?: string | undefined;
  externalName?: string;
  sessionAffinity?: string;
  sessionAffinityConfig?: object;
  internalTrafficPolicy?: string;
  externalTrafficPolicy?: string;
  allocateLoadBalancerNodePorts?: boolean;
}

export interface LoadBalancerIngress {
  ip?: string;
  hostname?: string;
}

export interface EndpointSubset {
  addresses?: { ip: string }[];
  ports?: { port: number }[];
}

/** For HorizontalPodAutoscalers: targets and current values. */
export interface Metric {
  resource?: { name: string; target?: MetricValue };
}

export interface CurrentMetric {
  resource?: { name: string; current?: MetricValue };
}

interface MetricValue {
  averageUtilization?: number;
  averageValue?: string;
}

export interface ClaimSpec {
  accessModes?: string[];
  resources?: Resources;
  volumeMode?: string;
}

export interface Claim {
  apiVersion?: string;
  kind?: string;
  spec?: ClaimSpec;
  status?: { phase?: string };
}

export interface IngressRule {
  host?: string;
  http?: { paths?: { pathType?: string }[] };
}

export interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

export interface AdmissionRule {
  operations?: string[];
  apiGroups?: string[];
  apiVersions?: string[];
  resources?: string[];
  scope?: string;
}

export interface WebhookClient {
  url?: string;
  service?: { name?: string; namespace?: string; path?: string; port?: number };
}

export interface Webhook {
  name?: string;
  rules?: AdmissionRule[];
  clientConfig?: WebhookClient;
  admissionReviewVersions?: string[];
  failurePolicy?: string;
  matchPolicy?: string;
  sideEffects?: string;
  reinvocationPolicy?: string;
  timeoutSeconds?: number;
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  matchConditions?: unknown;
}
