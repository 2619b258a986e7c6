interface SwitchProps {
  label: string;
  isOn: boolean;
  isDisabled?: boolean;
  onChange: (isOn: boolean) => void;
}

export function Switch({ label, isOn, isDisabled, onChange }: SwitchProps) {
  return (
    <label class="choice">
      <span>{label}</span>
      <input
        type="checkbox"
        role="switch"
        class="switch"
        checked={isOn}
        disabled={isDisabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    </label>
  );
}
