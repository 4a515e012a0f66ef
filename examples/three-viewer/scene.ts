/** A scene as any: what three-viewer renders in few pixels. */
import * as THREE from 'three/webgpu';

export interface Turning {
  readonly scene: THREE.Scene;
  readonly camera: THREE.PerspectiveCamera;
  readonly turn: (seconds: number) => void;
}

export function createScene(): Turning {
  const scene = new THREE.Scene();
  scene.background = new THREE.Color(0x9fb8c8);
  const camera = new THREE.PerspectiveCamera(40, 1, 0.1, 100);
  camera.position.set(0, 2.2, 7);
  camera.lookAt(0, 0.4, 0);

  scene.add(new THREE.HemisphereLight(0xffffff, 0x554433, 1.5));
  const sun = new THREE.DirectionalLight(0xfff4e0, 3);
  sun.position.set(3, 6, 4);
  scene.add(sun);

  const add = (geometry: THREE.BufferGeometry, color: number, roughness: number): THREE.Mesh => {
    const mesh = new THREE.Mesh(
      geometry,
      new THREE.MeshStandardMaterial({ color, roughness, metalness: 0.1 }),
    );
    scene.add(mesh);
    return mesh;
  };
  add(new THREE.CylinderGeometry(3, 3.2, 0.4, 48), 0x8a6a4a, 0.9).position.y = -1.2;
  const knot = add(new THREE.TorusKnotGeometry(0.9, 0.3, 160, 24), 0xc8502c, 0.35);
  knot.position.y = 0.6;
  const around = new THREE.Group();
  scene.add(around);
  for (let i = 0; i < 6; i++) {
    const ball = add(new THREE.IcosahedronGeometry(0.38, 1), 0x2f6f8f, 0.5);
    ball.position.set(2.2 * Math.cos((i * Math.PI) / 3), -0.6, 2.2 * Math.sin((i * Math.PI) / 3));
    around.add(ball);
  }
  return {
    scene,
    camera,
    turn(seconds) {
      knot.rotation.y = 0.5 * seconds;
      around.rotation.y = -0.3 * seconds;
    },
  };
}
