// Annotations and image tags that control the stand-in kubelet (README.md, "Control Pods").

/** Annotation on a Pod: `"false"` makes it not Ready while the annotation has this value. */
export const READY = 'sandbox.tranche.dev/ready';
/** Annotation on a Pod: each new value kills its containers once, as OOMKilled. */
export const OOM = 'sandbox.tranche.dev/oom';
/** Annotation on a HorizontalPodAutoscaler: the replicas that its metric asks for. */
export const DESIRED_REPLICAS = 'sandbox.tranche.dev/desired-replicas';

/** The behavior of a container, selected by the tag of its image. */
export type Fate = 'good' | 'slow' | 'broken' | 'crash';

export const fateOf = (image: string): Fate => {
  const tag = /:([^/:@]+)(@.*)?$/.exec(image)?.[1];
  return tag === 'broken' || tag === 'crash' || tag === 'slow' ? tag : 'good';
};
