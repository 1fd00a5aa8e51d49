// The application of the demos: a Deployment whose Pods serve, and its Service.

export const NAME = 'shop';
export const REPLICAS = 10;
export const PORT = 80;

/** `endSeconds`: how long a Pod still serves when it ends, until all clients know that. */
export const shopManifest = (namespace: string, endSeconds: number): string => `\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${NAME}
  namespace: ${namespace}
spec:
  replicas: ${REPLICAS}
  selector:
    matchLabels:
      app: ${NAME}
  template:
    metadata:
      labels:
        app: ${NAME}
    spec:
      containers:
      - name: web
        image: ${NAME}:v1
        ports:
        - containerPort: 8080
        # Until all clients know that the Pod ends.
        lifecycle:
          preStop:
            sleep:
              seconds: ${endSeconds}
---
apiVersion: v1
kind: Service
metadata:
  name: ${NAME}
  namespace: ${namespace}
spec:
  selector:
    app: ${NAME}
  ports:
  - port: ${PORT}
    targetPort: 8080
`;
